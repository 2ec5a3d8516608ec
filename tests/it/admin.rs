//! The admin side's door, by real requests; and that no secret comes out of it or of anything else.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use weir_config::BackendFlag;
use weir_gateway::app::{Gateway as App, StartError};
use weir_tests::backend::{self, Backend};
use weir_tests::binary::{self, Binary};
use weir_tests::client::{Answer, Client, get};
use weir_tests::gateway::{Gateway, wait};

const TOKEN: &str = "canary-admin-token-0123456789";

fn send(address: SocketAddr, method: &str, path: &str, fields: &str) -> Answer {
    let mut client = Client::connect(address);
    client.send(format!("{method} {path} HTTP/1.1\r\n{fields}content-length: 0\r\n\r\n"));
    client.answer()
}

fn token_file(folder: &Path, token: &str) -> std::path::PathBuf {
    let file = folder.join("token");
    fs::write(&file, format!("{token}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[test]
fn a_foreign_name_is_421_and_a_foreign_page_403() {
    let gateway = Gateway::before("triton", "127.0.0.1:1".parse().unwrap());
    let at = |fields: &str| send(gateway.admin, "GET", "/metrics", fields).status;
    assert_eq!(at("host: evil.example\r\n"), 421);
    assert_eq!(at("host: 127.0.0.1:9901\r\norigin: http://evil.example\r\n"), 403);
    assert_eq!(at("host: 127.0.0.1:9901\r\nsec-fetch-site: cross-site\r\n"), 403);
    assert_eq!(at("host: localhost:9901\r\n"), 200);
    assert!(gateway.value("weir_admin_denied_total{reason=\"host\"}") >= 1.0);
}

#[test]
fn every_answer_tells_browsers_to_be_careful_also_a_refusal() {
    let gateway = Gateway::before("triton", "127.0.0.1:1".parse().unwrap());
    for answer in [
        get(gateway.admin, "/api/v1/models"),
        get(gateway.admin, "/nothing"),
        send(gateway.admin, "GET", "/", "host: evil.example\r\n"),
    ] {
        let policy = answer.field("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("x-frame-options"), Some("DENY"));
    }
}

#[test]
fn an_open_address_without_a_token_is_refused_with_words() {
    let flag: BackendFlag = "triton=http://127.0.0.1:1".parse().unwrap();
    let mut config = weir_config::Config::from_flags(&[flag]).unwrap();
    config.admin.address = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(App::start(config), Err(StartError::AdminOpen(_))));
    let text = "backends: [{dialect: triton, endpoints: [\"http://127.0.0.1:1\"]}]\nadmin: {address: \"0.0.0.0:9901\"}\n";
    let report = weir_config::parse(text, "weir.yaml", &|_| None).unwrap_err();
    let problem = &report.problems()[0];
    assert_eq!(problem.line, Some(2));
    assert!(
        problem.message.contains("no token") && report.to_string().contains("admin.token_file"),
        "{report}"
    );
    let weir = std::process::Command::new(binary::path())
        .args(["serve", "--backend", "triton=http://127.0.0.1:1", "--admin", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(weir.status.code(), Some(78), "{}", String::from_utf8_lossy(&weir.stderr));
}

#[test]
fn a_token_that_cannot_be_had_is_refused_with_words_and_without_the_token() {
    let folder = binary::folder();
    for (content, said) in [
        (None, "cannot read"),
        (Some("short"), "16 to 4096"),
        (Some("canary two words here"), "visible ASCII"),
    ] {
        let file = folder.join("token");
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let flag: BackendFlag = "triton=http://127.0.0.1:1".parse().unwrap();
        let mut config = weir_config::Config::from_flags(&[flag]).unwrap();
        config.admin.token_file = Some(file);
        let error = App::start(config).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("canary"), "{error}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn on_an_open_address_everything_but_health_needs_the_token_which_is_read_again_when_it_changes() {
    let folder = binary::folder();
    let file = token_file(&folder, TOKEN);
    let gateway = Gateway::with("triton", "127.0.0.1:1".parse().unwrap(), |config| {
        config.admin.address = "0.0.0.0:0".parse().unwrap();
        config.admin.token_file = Some(file.clone());
    });
    let admin = SocketAddr::from(([127, 0, 0, 1], gateway.admin.port()));
    let at = |path: &str, token: &str| {
        send(admin, "GET", path, &format!("host: weir\r\nauthorization: Bearer {token}\r\n"))
    };
    let denied = at("/metrics", "canary-admin-token-012345678x");
    assert_eq!(denied.status, 401);
    assert_eq!(denied.field("www-authenticate"), Some("Bearer realm=\"weir\""));
    assert_eq!([at("/metrics", TOKEN).status, at("/api/v1/models", "").status], [200, 401]);
    assert_eq!([at("/healthz", "").status, at("/readyz", "").status], [200, 200]);
    let fresh = "canary-admin-token-the-next-one";
    // As secrets are swapped in a cluster: another file under the same name.
    fs::write(folder.join("next"), fresh).unwrap();
    fs::rename(folder.join("next"), &file).unwrap();
    assert_eq!([at("/metrics", fresh).status, at("/metrics", TOKEN).status], [200, 401]);
    fs::remove_file(&file).unwrap();
    assert_eq!(at("/metrics", fresh).status, 200, "the last one counts while there is none");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn at_the_metrics_address_are_metrics_and_health_alone() {
    let folder = binary::folder();
    let yaml = format!(
        "backends: [{{dialect: triton, endpoints: [\"http://127.0.0.1:1\"]}}]\nadmin: {{metrics_address: \"127.0.0.1:0\", token_file: {}}}\n",
        token_file(&folder, TOKEN).display()
    );
    let weir = Binary::with_file(folder, &yaml);
    let log = weir.log();
    let line = log.lines().find(|line| line.contains("metrics alone")).unwrap();
    let metrics: SocketAddr =
        line.split_once("address=").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
    for (path, status) in [
        ("/metrics", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 404),
        ("/api/v1/models", 404),
        ("/metrics/tail", 404),
    ] {
        assert_eq!(get(metrics, path).status, status, "{path}");
    }
    assert_eq!(send(metrics, "POST", "/metrics", "host: x\r\n").status, 405);
    assert_eq!(send(metrics, "GET", "/metrics", "host: evil.example\r\n").status, 421);
}

#[test]
fn the_admin_side_is_not_reached_through_the_data_port() {
    let backend = Backend::answering(|_| backend::answer("404 Not Found", "", "the backend's"));
    let gateway = Gateway::before("triton", backend.address);
    for path in ["/metrics", "/healthz", "/api/v1/models", "/-/reload"] {
        for host in [gateway.admin.to_string(), "localhost".to_owned()] {
            let mut client = Client::connect(gateway.address);
            client.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
            assert_eq!(client.answer().body_text(), "the backend's", "{path}");
        }
    }
}

#[test]
fn heads_and_bodies_have_limits_and_many_connections_do_not_keep_health_out() {
    let gateway = Gateway::with("triton", "127.0.0.1:1".parse().unwrap(), |config| {
        config.admin.connections_max = 8;
    });
    let large = format!("host: weir\r\nx: {}\r\n", "x".repeat(100_000));
    // Or cut off, where the rest of it comes too late for an answer.
    assert!(matches!(send(gateway.admin, "GET", "/metrics", &large).status, 431 | 0));
    let many: String = (0..100).map(|i| format!("x-{i}: 1\r\n")).collect();
    assert_eq!(send(gateway.admin, "GET", "/metrics", &format!("host: weir\r\n{many}")).status, 431);
    let idle: Vec<_> = (0..8).map(|_| Client::connect(gateway.admin)).collect();
    drop(idle);
    wait("health to answer", || get(gateway.admin, "/healthz").status == 200);
}

/// Requests with secrets everywhere, also such that are refused; what was answered to those.
fn ask_with_secrets(address: SocketAddr) -> String {
    let secrets = "authorization: Bearer canary-authorization\r\ncookie: session=canary-cookie\r\n\
                   x-amz-security-token: canary-security-token\r\nx-api-key: canary-api-key\r\n\
                   proxy-authorization: Basic canary-proxy\r\nx-amzn-sagemaker-session-id: canary-session\r\n";
    let query = "api_key=canary-query-key&X-Amz-Signature=canary-signature&canary-bare&sig=canary-sig";
    let mut answers = String::new();
    for path in ["alpha/infer", "boom/infer"] {
        let mut client = Client::connect(address);
        client.post(&format!("/v2/models/{path}?{query}"), secrets, "{\"canary-body\": \"canary-body\"}");
        client.answer();
        // Heads that are refused, each with a secret in it.
        for wrong in [
            "content-length: 1\r\ncontent-length: 2\r\n",
            "transfer-encoding: canary-coding\r\n",
            "bad name: canary-value\r\n",
        ] {
            let mut client = Client::connect(address);
            client
                .send(format!("POST /v2/models/{path}?{query} HTTP/1.1\r\nhost: w\r\n{secrets}{wrong}\r\n"));
            let answer = client.answer();
            answers += &answer.head;
            answers += &answer.body_text();
        }
    }
    answers
}

fn ask_admin_with_secrets(admin: SocketAddr) -> String {
    let mut answers = String::new();
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/metrics/tail"),
        ("GET", "/api/v1/models"),
        ("POST", "/-/drainx"),
        ("GET", "/?key=canary-admin-query"),
    ] {
        for token in [TOKEN, "canary-wrong-token-0123456"] {
            let answer = send(
                admin,
                method,
                path,
                &format!("host: weir\r\nauthorization: Bearer {token}\r\ncookie: a=canary-cookie\r\n"),
            );
            answers += &answer.head;
            answers += &answer.body_text();
        }
    }
    answers
}

/// Secrets in every place that a caller or an operator can put one, and everything that weir says about it.
#[test]
fn no_secret_comes_out_anywhere() {
    let folder = binary::folder();
    let backend = Backend::answering(|seen| match () {
        () if seen.head.contains("boom") => backend::answer(
            "500 Oops",
            "set-cookie: canary-set-cookie\r\nx-api-key: canary-answer-key\r\n",
            "canary-answer-body",
        ),
        () => backend::answer("200 OK", "set-cookie: canary-set-cookie\r\n", "canary-answer-body"),
    });
    let file = token_file(&folder, TOKEN);
    let log = folder.join("access.log");
    let yaml = format!(
        "backends: [{{dialect: triton, endpoints: [\"http://{}\"]}}]\nadmin: {{token_file: {}}}\n\
         access_log: {{to: {}, query: redacted}}\nlog: {{level: trace}}\n",
        backend.address,
        file.display(),
        log.display()
    );
    let weir = Binary::with_file(folder.clone(), &yaml);
    let answers = ask_with_secrets(weir.address) + &ask_admin_with_secrets(weir.admin);
    wait("the access log", || fs::read_to_string(&log).is_ok_and(|text| text.lines().count() >= 2));
    let shown = std::process::Command::new(binary::path())
        .args(["config", "show", "-c"])
        .arg(folder.join("weir.yaml"))
        .output()
        .unwrap();
    assert!(shown.status.success());
    for (what, text) in [
        ("the log at level trace", weir.log()),
        ("stdout", weir.stdout()),
        ("the access log", fs::read_to_string(&log).unwrap()),
        ("answers", answers),
        ("config show", String::from_utf8_lossy(&shown.stdout).into_owned()),
    ] {
        let found = text.lines().find(|line| line.contains("canary"));
        assert_eq!(found, None, "a secret in {what}");
        assert!(!text.is_empty() || what == "stdout", "{what} is there to look at");
    }
}

#[test]
fn a_token_that_others_can_read_is_told_to_the_operator() {
    let folder = binary::folder();
    let file = token_file(&folder, TOKEN);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let yaml = format!(
        "backends: [{{dialect: triton, endpoints: [\"http://127.0.0.1:1\"]}}]\nadmin: {{token_file: {}}}\n",
        file.display()
    );
    let weir = Binary::with_file(folder, &yaml);
    let log = weir.log();
    assert!(log.contains("WARN") && log.contains("mode=\"644\"") && !log.contains("canary"), "{log}");
}
