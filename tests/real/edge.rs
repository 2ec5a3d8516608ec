//! weir at the edge, between clients that people use (curl, nghttp, h2load, openssl, a WebSocket client, slowhttptest) and nginx.

mod hostile;
mod http;
mod load;
mod tls;
mod websocket;

use std::process::Command;

use weir_tests::authority::Authority;

use crate::kit::{Server, Weir, ports};

/// nginx, and weir in front of it with a listener in the clear, one with TLS, and one that asks for a client's certificate.
struct Site {
    weir: Weir,
    nginx: Server,
    authority: Authority,
}

impl Site {
    #[track_caller]
    fn start() -> Self {
        Self::with("")
    }

    /// `limits`: those of the listener in the clear, as a line of YAML.
    #[track_caller]
    fn with(limits: &str) -> Self {
        let [port, secure, mutual] = ports();
        let mut nginx = Server::start("nginx", &[port], &[]);
        nginx.wait_ready(&format!("http://127.0.0.1:{port}/v2/models/any/infer"));
        let authority = Authority::new();
        let certificates = [authority.sign("a", &["a.example"]), authority.sign("b", &["b.example"])]
            .map(|files| format!("{{cert: {}, key: {}}}", files.cert, files.key));
        let (certificates, ca) = (certificates.join(", "), authority.ca());
        let weir = Weir::serve_file(&format!(
            "listeners:
- {{name: clear, limits: {{{limits}}}}}
- {{name: secure, address: '127.0.0.1:{secure}', tls: {{certificates: [{certificates}]}}}}
- {{name: mutual, address: '127.0.0.1:{mutual}', tls: {{certificates: [{certificates}], client_ca: {ca}}}}}
backends:
- {{name: nginx, dialect: triton, endpoints: ['http://127.0.0.1:{port}']}}
"
        ));
        Self { weir, nginx, authority }
    }

    /// A URL on one of the listeners, by the name of the first certificate where it is TLS.
    fn url(&self, listener: &str, path: &str) -> String {
        let address = self.weir.address_of(listener);
        match listener {
            "clear" => format!("http://{address}{path}"),
            _ => format!("https://a.example:{}{path}", port_of(&address)),
        }
    }

    /// What curl needs to find and to trust the listeners.
    fn trust(&self) -> Vec<String> {
        let resolve = |listener: &str| {
            let port = port_of(&self.weir.address_of(listener)).to_owned();
            ["--resolve".to_owned(), format!("a.example:{port}:127.0.0.1")]
        };
        let ca = ["--cacert".to_owned(), self.authority.ca()];
        [ca, resolve("secure"), resolve("mutual")].concat()
    }

    /// One curl with these arguments: its exit code, and what `--write-out` said of the last answer.
    fn curl(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "60", "--write-out", "%{http_code} %{http_version}"])
            .args(self.trust())
            .args(arguments)
            .output()
            .expect("curl is installed");
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn port_of(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(_, port)| port)
}

/// What a program prints, and whether it was content.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: run tests/install"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
