//! Signatures against AWS's own test vectors, and what is signed.

use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use weir_config::SignService;

use super::*;
use crate::body::Inbound;

/// The suite's credentials and time: 2015-08-30T12:36:00Z.
fn vector(method: &str, uri: &str, fields: &[(&'static str, &str)], body: &[u8]) -> String {
    let signer = Signer {
        service: "service",
        region: "us-east-1".to_owned(),
        host: HeaderValue::from_static("example.amazonaws.com"),
        body_bytes_max: 1000,
        wait: Duration::ZERO,
        keys: Keys::shared(weir_config::Credentials::Environment, None),
    };
    let head = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
    let mut head = Parts::from(head);
    for (name, value) in fields {
        head.headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    make_ours(&mut head.headers, &signer.host, body.len());
    let credentials =
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    signer.put_signature(&mut head, credentials, hex(&Sha256::digest(body)), now).unwrap();
    let signature = head.headers.get(AUTHORIZATION).unwrap();
    assert!(signature.is_sensitive());
    signature.to_str().unwrap().to_owned()
}

#[test]
fn signatures_are_those_of_awss_test_suite() {
    let signed = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=";
    for (method, uri, signature) in [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ] {
        assert_eq!(vector(method, uri, &[], b""), format!("{signed}{signature}"), "{method} {uri}");
    }
}

#[test]
fn awss_own_fields_are_signed_and_a_proxys_are_not() {
    let fields = [
        ("content-type", "application/json"),
        ("x-amzn-sagemaker-target-model", "a.tar.gz"),
        ("x-forwarded-for", "10.0.0.1"),
        ("via", "1.1 weir"),
        ("user-agent", "boto3"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=theirs"),
        ("x-amz-security-token", "theirs"),
        ("transfer-encoding", "chunked"),
    ];
    let signature = vector("POST", "/endpoints/e/invocations", &fields, b"{}");
    assert!(
        signature.contains("SignedHeaders=content-type;host;x-amz-date;x-amzn-sagemaker-target-model, "),
        "{signature}"
    );
    assert!(!signature.contains("theirs"));
}

#[test]
fn the_host_is_the_endpoints_without_its_schemes_own_port() {
    for (endpoint, expected) in [
        ("http://runtime.sagemaker.eu-west-1.amazonaws.com", "runtime.sagemaker.eu-west-1.amazonaws.com"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:80", "[::1]"),
    ] {
        assert_eq!(host(&endpoint.parse().unwrap()), expected);
    }
}

fn signer(body_bytes_max: u64) -> Signer {
    let config = Sign {
        service: SignService::Bedrock,
        region: "eu-west-1".to_owned(),
        profile: Some("there-is-none".to_owned()),
        credentials: weir_config::Credentials::Profile,
        body_bytes_max: weir_config::Bytes(body_bytes_max),
        wait: Duration::ZERO,
    };
    Signer::new(&config, &"http://bedrock:1".parse().unwrap()).unwrap()
}

async fn refused(signer: &Signer, body: &'static [u8]) -> Refusal {
    let upload: Rc<Upload> = Upload::new(Inbound::Whole(Some(Bytes::from_static(body))), 0, Instant::now());
    let mut head = Request::post("/model/m/invoke").body(()).unwrap().into_parts().0.into();
    let limit = Duration::from_secs(5);
    signer.sign(&mut head, &upload, (Instant::now() + limit, limit)).await.unwrap_err()
}

#[tokio::test]
async fn a_body_above_the_limit_and_missing_credentials_are_refused() {
    assert!(matches!(refused(&signer(3), b"four").await, Refusal::BodyTooLarge(3)));
    assert!(matches!(refused(&signer(4), b"four").await, Refusal::NoCredentials));
}
