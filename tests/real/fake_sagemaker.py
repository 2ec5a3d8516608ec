"""A stand-in for the edge of the SageMaker runtime API, which no test can reach: fake_sagemaker.py PORT RECORD

It does what the edge does to a request: checks the AWS signature (version 4), which covers the method, the path, the host, the
signed headers and the body, so a gateway that changes one byte of them gets 403. The answer depends on the target model's name:
  missing…  424 ModelError, as when the model's artifact cannot be had
  loading…  429 ModelNotReadyException until it was asked twice, then 200
  broken…   500 InternalFailure
  another   200 with what was received, as JSON
`/endpoints/NAME/invocations-response-stream` answers with three events of AWS's event stream.

Every request is appended to RECORD as a line of JSON: the head as received (Latin-1), the body (Base64), its length and whether the signature
holds.
"""

import base64
import hashlib
import hmac
import json
import socketserver
import struct
import sys
import threading
import urllib.parse
import zlib

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own documentation example; the client uses the same


def event(payload):
    """One PayloadPart message: prelude, its checksum, headers, payload, checksum."""

    def header(name, value):
        return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()

    headers = (
        header(":event-type", "PayloadPart")
        + header(":content-type", "application/octet-stream")
        + header(":message-type", "event")
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def signature_holds(method, path, headers, body):
    """Recomputes the signature of the Authorization header from what arrived."""
    scheme, _, fields = headers.get("authorization", "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return False
    given = dict(field.strip().split("=", 1) for field in fields.split(","))
    _, date, region, service, kind = given["Credential"].split("/")
    names = given["SignedHeaders"].split(";")
    canonical = "\n".join(
        [method, urllib.parse.quote(path, safe="/~"), ""]  # what is encoded is encoded once more
        + [f"{name}:{' '.join(headers.get(name, '').split())}" for name in names]
        + ["", given["SignedHeaders"], hashlib.sha256(body).hexdigest()]
    )
    scope = "/".join([date, region, service, kind])
    text = "\n".join([scheme, headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in (date, region, service, kind):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), given["Signature"])


class Edge(socketserver.StreamRequestHandler):
    asked = {}
    lock = threading.Lock()
    record = None

    def handle(self):
        while self.one_request():
            pass

    def one_request(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline(65536)
            if not line:
                return False
            head += line
        request_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, path, _ = request_line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = self.read_body(headers)
        holds = signature_holds(method, path, headers, body)
        with self.lock:
            line = {"head": head.decode("latin-1"), "body_bytes": len(body), "signature_holds": holds}
            line["body"] = base64.b64encode(body).decode()
            self.record.write(json.dumps(line) + "\n")
            self.record.flush()
        if not holds:
            self.fail(403, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
        elif path.endswith("/invocations-response-stream"):
            self.stream()
        else:
            self.invoke(path, headers.get("x-amzn-sagemaker-target-model", ""), body)
        return True

    def read_body(self, headers):
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def invoke(self, path, target, body):
        with self.lock:
            times = self.asked[target] = self.asked.get(target, 0) + 1
        if target.startswith("missing"):
            self.fail(424, "ModelError", "Failed to download model data")
        elif target.startswith("broken"):
            self.fail(500, "InternalFailure", "An internal failure occurred")
        elif target.startswith("loading") and times <= 2:
            self.fail(429, "ModelNotReadyException", "The model is still being loaded. Please retry.")
        else:
            answer = json.dumps({"path": path, "target": target, "bytes": len(body)})
            self.answer(200, "OK", {"x-Amzn-Invoked-Production-Variant": "AllTraffic"}, answer)

    def fail(self, status, kind, message):
        self.answer(status, kind, {"x-amzn-ErrorType": kind}, json.dumps({"Message": message, "OriginalStatusCode": 404}))

    def answer(self, status, reason, headers, body):
        fields = {"x-amzn-RequestId": "0f0f0f0f", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        head = f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        self.wfile.write((head + body).encode())

    def stream(self):
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
            b"X-Amzn-SageMaker-Content-Type: application/json\r\nx-Amzn-Invoked-Production-Variant: AllTraffic\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for number in range(3):
            message = event(b'{"token":%d}' % number)
            self.wfile.write(b"%x\r\n" % len(message) + message + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with open(sys.argv[2], "a", encoding="utf-8") as Edge.record, Server(("127.0.0.1", int(sys.argv[1])), Edge) as server:
        server.serve_forever()
