"""What is asked of the proxies, and by which load generator. Every figure is of one request, or of one stream where the case says so."""

import dataclasses
import json
import re
import subprocess

LUA = """
local n, models = 0, %(models)d
local body = '%(body)s'
local sized = %(sized)d
if sized > 0 then body = string.rep("x", sized) end
request = function()
  n = (n + 7919) %% models
  local path, own = "%(path)s", body
  path = path:gsub("MODEL", "model-" .. n)
  own = own:gsub("MODEL", "model-" .. n)
  return wrk.format("%(method)s", path, {["content-type"] = "application/json"}, own)
end
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """One kind of load."""

    what: str
    dialect: str = "triton"
    method: str = "POST"
    path: str = "/v2/models/MODEL/infer"
    body: str = ""
    body_bytes: int = 0
    connections: int = 64
    models: int = 500
    port: int = 0  # 0 plain, 1 HTTP/2, 2 TLS
    rate: int = 0  # requests a second, open loop; 0: as many as go
    stream: bool = False  # answered by the backend that streams

    def ask(self, ports, folder, cores, seconds):
        """Runs the load: requests, p50 and p99 in µs, and how long it took in seconds."""
        tool = h2load if self.port == 1 or self.rate else wrk
        return tool(self, ports[self.port], folder, ["taskset", "-c", cores], seconds)


def openai_body():
    """A chat of about 1 KiB, the model last: the scan reads it all."""
    return json.dumps({"messages": [{"role": "user", "content": "tell me " * 120}], "model": "MODEL"}, separators=(",", ":"))


CASES = {
    "small": Case("POST 200 B, 500 models by path, 64 connections", body_bytes=200),
    "openai": Case("chat of 1 KiB, the model read from the body, 32 connections", "openai", path="/v1/chat/completions",
                   body=openai_body(), connections=32),
    "body-64k": Case("POST 64 KiB", body_bytes=64 * 1024, connections=32),
    "answer-1m": Case("an answer of 1 MiB", method="GET", path="/large", connections=16),
    "sse": Case("a stream of 200 events, a stream is one request", "openai", path="/v1/chat/completions", body=openai_body(),
                connections=16, stream=True),
    "h2": Case("HTTP/2 down, HTTP/1.1 up: 16 connections of 8 streams", body_bytes=200, connections=16, port=1),
    "tls": Case("TLS 1.3 down", body_bytes=200, port=2),
    "one": Case("1 connection", body_bytes=200, connections=1),
    "many": Case("512 connections", body_bytes=200, connections=512),
    "models-50k": Case("50,000 models", body_bytes=200, models=50_000),
    "open-loop": Case("3,000 requests a second over 16 connections: what a request waits", body_bytes=200, connections=16, rate=3000),
}  # fmt: skip


def wrk(case, port, folder, pin, seconds):
    script = folder / "load.lua"
    script.write_text(LUA % {"models": case.models, "body": case.body, "sized": case.body_bytes, "path": case.path, "method": case.method})
    scheme = "https" if case.port == 2 else "http"
    command = [*pin, "wrk", "-t1", f"-c{case.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "--latency",
               "-s", str(script), f"{scheme}://127.0.0.1:{port}"]  # fmt: skip
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"a failed request on port {port}:\n{text}")
    done = re.search(r"(\d+) requests in ([\d.]+)(m?s)", text)
    took = float(done.group(2)) / (1000 if done.group(3) == "ms" else 1)
    return int(done.group(1)), percentile(text, 50), percentile(text, 99), took


def percentile(text, which):
    found = re.search(rf"{which}%\s+([\d.]+)(us|ms|s)\b", text)
    return float(found.group(1)) * {"us": 1, "ms": 1e3, "s": 1e6}[found.group(2)]


def h2load(case, port, folder, pin, seconds):
    log, data = folder / "h2load.log", folder / "body"
    log.unlink(missing_ok=True)
    data.write_text("x" * case.body_bytes)
    uris = folder / "uris"
    step = 7919
    uris.write_text("".join(f"http://127.0.0.1:{port}{case.path.replace('MODEL', f'model-{n * step % case.models}')}\n" for n in range(case.models)))
    command = [*pin, "h2load", f"-c{case.connections}", f"-D{max(1, round(seconds))}", "-d", str(data), "-H", "content-type: application/json",
               f"--log-file={log}", "-i", str(uris)]  # fmt: skip
    command += [f"--rps={case.rate / case.connections}", "--h1"] if case.rate else ["-m8"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    status = re.search(r"(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    if not status or not int(status.group(1)) or any(int(count) for count in status.groups()[1:]):
        raise RuntimeError(f"a failed request on port {port}:\n{text}")
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    took = float(re.search(r"finished in ([\d.]+)s", text).group(1))
    return len(times), times[len(times) // 2], times[len(times) * 99 // 100], took
