//! Signing for AWS, by the real binary with an environment of its own: what arrives is signed with weir's credentials, whatever the
//! caller sent, and the signature is computed here a second time.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use weir_tests::backend::{self, Backend, Seen};
use weir_tests::client::{self, Client};
use weir_tests::gateway::wait;

const SECRET: &str = "canary+secret/key";

/// `weir serve` as a child.
struct Weir {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    log: Arc<Mutex<String>>,
    file: PathBuf,
}

impl Weir {
    /// In front of that endpoint, with these keys below `sign` and that environment alone.
    fn signing(endpoint: SocketAddr, sign: &str, environment: &[(&str, String)]) -> Self {
        static FILES: AtomicUsize = AtomicUsize::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("weir-sign-{}-{number}.yaml", std::process::id()));
        let yaml = format!(
            "workers: 1\nlisteners: [{{address: \"127.0.0.1:0\"}}]\nadmin: {{address: \"127.0.0.1:0\"}}\nlog: {{level: trace}}\n\
             backends:\n- dialect: sagemaker\n  endpoints: [\"http://{endpoint}\"]\n  sign: {{region: eu-central-1, {sign}}}\n"
        );
        std::fs::write(&file, yaml).unwrap();
        let beside =
            || -> Option<PathBuf> { Some(std::env::current_exe().ok()?.parent()?.parent()?.join("weir")) };
        let binary = std::env::var_os("WEIR_BIN").map(PathBuf::from).or_else(beside).unwrap();
        assert!(binary.exists(), "there is no {}: cargo build -p weir-gateway", binary.display());
        let mut child = Command::new(binary)
            .arg("serve")
            .arg("-c")
            .arg(&file)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, into) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = into.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let after = |mark: &str| -> Option<SocketAddr> {
            let log = log.lock().unwrap();
            let line = log.lines().find(|line| line.contains(mark))?;
            line.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
        };
        wait("addresses in the log", || after(" listening ").is_some() && after(" admin ").is_some());
        let (address, admin) = (after(" listening ").unwrap(), after(" admin ").unwrap());
        Self { child, address, admin, log, file }
    }

    fn invoke(&self, body: &str) -> client::Answer {
        let mut client = Client::connect(self.address);
        let fields = "x-amzn-sagemaker-target-model: a.tar.gz\r\ncontent-type: text/csv\r\n\
                      authorization: AWS4-HMAC-SHA256 Credential=theirs\r\nx-amz-security-token: theirs\r\n";
        client.post("/endpoints/mme/invocations", fields, body);
        client.answer()
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = std::fs::remove_file(&self.file);
    }
}

/// The signature that the request should have, by the steps of AWS's documentation.
fn signature_holds(seen: &Seen) -> bool {
    let field = |name: &str| {
        seen.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let Some(authorization) = field("authorization") else { return false };
    let part = |name: &str| {
        authorization.split([' ', ',']).find_map(|part| part.strip_prefix(name)).unwrap_or("").to_owned()
    };
    let (scope, names) = (part("Credential="), part("SignedHeaders="));
    let scope = scope.split_once('/').unwrap().1;
    let mut line = seen.head.split(' ');
    let (method, path) = (line.next().unwrap(), line.next().unwrap());
    let fields: String =
        names.split(';').map(|name| format!("{name}:{}\n", field(name).unwrap_or_default())).collect();
    let canonical = format!("{method}\n{path}\n\n{fields}\n{names}\n{}", hex(&Sha256::digest(&seen.body)));
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        field("x-amz-date").unwrap(),
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let key =
        scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part.as_bytes()));
    hex(&mac(&key, text.as_bytes())) == part("Signature=")
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers with the key's id and whether the signature holds, and 403 where it does not.
fn edge() -> Backend {
    Backend::answering(|seen| {
        let id = seen.head.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or("");
        let status = if signature_holds(seen) { "200 OK" } else { "403 Forbidden" };
        backend::answer(status, "", &format!("{id} {}", seen.head.replace("\r\n", "\n")))
    })
}

fn keys() -> Vec<(&'static str, String)> {
    let [id, secret] = ["AKIDWEIR", SECRET].map(ToOwned::to_owned);
    vec![
        ("AWS_ACCESS_KEY_ID", id),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_SESSION_TOKEN", "canary-token".to_owned()),
    ]
}

#[test]
fn a_request_arrives_signed_with_weirs_credentials_and_the_endpoints_host() {
    let edge = edge();
    let weir = Weir::signing(edge.address, "credentials: environment", &keys());
    let answer = weir.invoke("1,2,3");
    let seen = answer.body_text();
    assert_eq!(answer.status, 200, "{seen}");
    assert!(seen.starts_with("AKIDWEIR ") && seen.contains(&format!("\nhost: {}\n", edge.address)), "{seen}");
    assert!(!seen.contains("theirs") && seen.contains("\nx-amz-security-token: canary-token\n"), "{seen}");
    let scope = "/eu-central-1/sagemaker/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amzn-sagemaker-target-model, ";
    assert!(seen.contains(scope), "{seen}");
    assert!(!weir.log().contains(SECRET) && !weir.log().contains("canary-token"), "{}", weir.log());
}

#[test]
fn a_body_that_comes_in_chunks_is_signed_whole_and_sent_with_its_length() {
    let edge = edge();
    let weir = Weir::signing(edge.address, "credentials: environment", &keys());
    let mut client = Client::connect(weir.address);
    client.send("POST /endpoints/mme/invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n3\r\nabc\r\n");
    client.send("2\r\nde\r\n0\r\nx-t: 1\r\n\r\n");
    let answer = client.answer();
    let seen = answer.body_text();
    assert_eq!(answer.status, 200, "{seen}");
    assert!(
        seen.contains("\ncontent-length: 5\n") && !seen.contains("chunked") && !seen.contains("trailer"),
        "{seen}"
    );
    // The connection is in step: the next request is answered as well.
    client.send("GET /endpoints/mme/invocations HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_body_above_the_limit_is_413_whether_its_length_was_told_or_not() {
    let edge = edge();
    let weir = Weir::signing(edge.address, "credentials: environment, body_bytes_max: 4B", &keys());
    assert_eq!(weir.invoke("four").status, 200);
    let answer = weir.invoke("fives");
    assert_eq!(answer.status, 413);
    assert!(answer.body_text().contains("larger than 4 bytes"), "{}", answer.body_text());
    let mut client = Client::connect(weir.address);
    client.send("POST /endpoints/mme/invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    assert_eq!(edge.connections(), 1, "nothing of them was sent on");
}

#[test]
fn without_credentials_a_request_is_refused_and_never_goes_out_unsigned() {
    let edge = edge();
    let weir =
        Weir::signing(edge.address, "credentials: profile, wait: 0s", &[("HOME", "/nonexistent".to_owned())]);
    let answer = weir.invoke("x");
    assert_eq!(answer.status, 503);
    assert!(answer.body_text().contains("no_credentials"), "{}", answer.body_text());
    assert_eq!(edge.connections(), 0);
    wait("a warning", || weir.log().contains("no AWS credentials"));
    let scrape = client::get(weir.admin, "/metrics").body_text();
    assert!(scrape.contains("weir_credentials_fetches_total{result=\"failed\"}"), "{scrape}");
}

/// A container's endpoint: its first answer is a failure, then each has another key and a short life.
fn container() -> Backend {
    let asked = AtomicUsize::new(0);
    Backend::answering(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => backend::answer("500 Oops", "connection: close\r\n", ""),
        number => {
            let end = SystemTime::now() + Duration::from_secs(8);
            let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            let body = format!(
                "{{\"AccessKeyId\":\"AKID{number}\",\"SecretAccessKey\":\"{SECRET}\",\"Token\":\"t\",\"Expiration\":\"{}\"}}",
                rfc3339(end)
            );
            backend::answer("200 OK", "connection: close\r\n", &body)
        }
    })
}

/// As the endpoint writes it; the calendar is the system's.
fn rfc3339(unix: u64) -> String {
    let date =
        Command::new("date").args(["-u", "-d", &format!("@{unix}"), "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_request_waits_for_credentials_and_they_are_renewed_before_they_end() {
    let (edge, container) = (edge(), container());
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/creds", container.address));
    let weir = Weir::signing(edge.address, "wait: 30s", &[uri]);
    let first = weir.invoke("x");
    assert_eq!(first.status, 200, "{} {}", first.body_text(), weir.log());
    assert!(first.body_text().starts_with("AKID1 "));
    wait("a newer key", || {
        let answer = weir.invoke("x");
        assert_eq!(answer.status, 200, "there is a valid key at every moment");
        answer.body_text().starts_with("AKID2 ")
    });
    assert!(!weir.log().contains(SECRET), "{}", weir.log());
}
