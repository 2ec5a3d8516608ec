//! Each source as it stands on a machine that has it.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const EXPIRING: &str = r#"{"Code":"Success","AccessKeyId":"AKID","SecretAccessKey":"sk","Token":"t","Expiration":"2030-01-01T00:00:00Z"}"#;

fn environment(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| variables.get(name).cloned()
}

/// Answers requests by what their head is, until it is dropped with the test.
async fn endpoint(answer: fn(&str) -> (u16, &'static str)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap_or(0);
            let (status, body) = answer(&String::from_utf8_lossy(&head[..length]));
            let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            _ = stream.write_all(text.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn the_environment_comes_first_and_needs_both_keys() {
    let both = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_PROFILE", "none")];
    let found = find(Source::Default, None, &environment(&both)).await.unwrap();
    assert_eq!((found.access_key_id(), found.secret_access_key(), found.session_token()), ("a", "b", None));
    assert!(find(Source::Environment, None, &environment(&both[..1])).await.is_err());
}

#[tokio::test]
async fn a_profile_is_read_from_either_file_and_what_it_lacks_is_said() {
    let folder = std::env::temp_dir().join(format!("weir-sign-{}", std::process::id()));
    std::fs::create_dir_all(folder.join(".aws")).unwrap();
    let text = "# c\n[default]\naws_access_key_id = d\naws_secret_access_key=e=f\n\n[ models ]\naws_access_key_id=m\naws_secret_access_key=n\naws_session_token = o\n[role]\nrole_arn = arn:x\n";
    std::fs::write(folder.join(".aws/credentials"), text).unwrap();
    std::fs::write(
        folder.join(".aws/config"),
        "[default]\nregion = x\n[profile other]\naws_access_key_id=p\naws_secret_access_key=q\n",
    )
    .unwrap();
    let home = [("HOME", folder.to_str().unwrap())];
    let keys = async |profile| {
        let found = find(Source::Profile, profile, &environment(&home)).await;
        found.map(|found| (found.access_key_id().to_owned(), found.secret_access_key().to_owned()))
    };
    let pair = |id: &str, secret: &str| (id.to_owned(), secret.to_owned());
    assert_eq!(keys(None).await.unwrap(), pair("d", "e=f"));
    assert_eq!(keys(Some("models")).await.unwrap(), pair("m", "n"));
    assert_eq!(keys(Some("other")).await.unwrap(), pair("p", "q"));
    assert!(matches!(keys(Some("role")).await, Err(SourceError::NoKeys(_))));
    assert!(matches!(keys(Some("nobody")).await, Err(SourceError::Nothing(_))));
    let named = [("HOME", folder.to_str().unwrap()), ("AWS_PROFILE", "models")];
    let found = find(Source::Default, None, &environment(&named)).await.unwrap();
    assert_eq!((found.access_key_id(), found.session_token()), ("m", Some("o")));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_container_endpoint_is_asked_with_its_token() {
    let address = endpoint(|head| {
        let asked = head.starts_with("GET /creds?x=1 ") && head.contains("authorization: Bearer tok\r\n");
        if asked { (200, EXPIRING) } else { (403, "no") }
    })
    .await;
    let uri = format!("http://{address}/creds?x=1");
    let with = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer tok"),
    ];
    let found = find(Source::Default, None, &environment(&with)).await.unwrap();
    assert_eq!((found.access_key_id(), found.session_token()), ("AKID", Some("t")));
    assert_eq!(found.expiry(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000)));
    let denied = find(Source::Default, None, &environment(&with[..1])).await;
    assert!(
        matches!(denied, Err(SourceError::Fetch(_, FetchError::Status(http::StatusCode::FORBIDDEN)))),
        "{denied:?}"
    );
}

#[tokio::test]
async fn a_containers_token_goes_to_no_other_host_in_clear() {
    for uri in [
        "http://example.com/c",
        "http://169.254.170.2.example.com/c",
        "https://127.0.0.1/c",
        "ftp://127.0.0.1/",
    ] {
        let with = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)];
        let found = find(Source::Container, None, &environment(&with)).await;
        assert!(matches!(found, Err(SourceError::ContainerHost)), "{uri}: {found:?}");
    }
}

#[tokio::test]
async fn an_instance_is_asked_for_a_token_its_role_and_its_credentials() {
    let address = endpoint(|head| {
        let has_token = head.contains("x-aws-ec2-metadata-token: abc\r\n");
        match head.split(' ').take(2).collect::<Vec<_>>().as_slice() {
            ["PUT", "/latest/api/token"] if head.contains("token-ttl-seconds: 21600") => (200, "abc"),
            ["GET", "/latest/meta-data/iam/security-credentials/"] if has_token => (200, "my-role\n"),
            ["GET", "/latest/meta-data/iam/security-credentials/my-role"] if has_token => (200, EXPIRING),
            _ => (401, ""),
        }
    })
    .await;
    let host = format!("http://{address}/");
    let with = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", host.as_str())];
    let found = find(Source::Default, None, &environment(&with)).await.unwrap();
    assert_eq!(found.access_key_id(), "AKID");
    let off = [with[0], ("AWS_EC2_METADATA_DISABLED", "true")];
    assert!(matches!(find(Source::Instance, None, &environment(&off)).await, Err(SourceError::Nothing(_))));
}

#[tokio::test]
async fn an_answer_that_is_no_credentials_is_told_without_its_text() {
    for body in [
        "",
        "{}",
        r#"{"Code":"Failed","AccessKeyId":"canary","SecretAccessKey":"canary"}"#,
        r#"{"AccessKeyId":"canary","SecretAccessKey":"canary","Expiration":"canary"}"#,
        r#"{"AccessKeyId":"canary"}"#,
    ] {
        let error = of_answer(body.as_bytes(), "it").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    assert!(of_answer(br#"{"AccessKeyId":"a","SecretAccessKey":"b"}"#, "it").unwrap().expiry().is_none());
}
