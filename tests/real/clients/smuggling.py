"""Sends what two parties could read in two ways to weir and holds what the server behind it has read against what the RFCs say:
smuggling.py WEIR_PORT LOG

LOG is nginx's, a line of JSON for each request that it read. Behind every case comes one more request on the same connection. A case is
either `refused` (an error, the connection closed, and the server heard of nothing), or it is read as said: then the server reads
just this, and then the request behind it. Prints a line of JSON for each case that is otherwise, and one with the count.
"""

import json
import pathlib
import socket
import sys
import time

REFUSED = "refused"
HOST = b"host: weir\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def framing():
    """Fields that say where the body ends (RFC 9112 §6): one way, or not at all."""
    for name, value in {
        "vertical-tab": b"\x0bchunked", "form-feed-behind": b"chunked\x0c", "quoted": b'"chunked"', "parameter": b"chunked;q=1",
        "list-begins-empty": b",chunked", "list-ends-empty": b"chunked,", "behind-identity": b"identity, chunked",
        "before-identity": b"chunked, identity", "empty": b"", "nul": b"chunked\0", "obs-text": b"chunked\xff", "space-within": b"chu nked",
        "gzip": b"gzip", "gzip-last": b"chunked, gzip", "cr": b"\rchunked", "bare-lf": b"\nchunked",
    }.items():  # fmt: skip
        yield f"te-{name}", post(b"transfer-encoding: " + value + b"\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-upper-case", post(b"TRANSFER-ENCODING: ChUnKeD\r\n", b"2\r\nab\r\n0\r\n\r\n"), "ab"
    yield "te-tabs-around", post(b"transfer-encoding:\tchunked\t\r\n", b"2\r\nab\r\n0\r\n\r\n"), "ab"
    yield "te-twice", post(CHUNKED + CHUNKED, b"0\r\n\r\n"), REFUSED
    yield "te-in-1.0", post(CHUNKED, b"0\r\n\r\n", version=b"HTTP/1.0"), REFUSED
    yield "te-space-before-colon", post(b"transfer-encoding : chunked\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-tab-before-colon", post(b"transfer-encoding\t: chunked\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-nul-in-name", post(b"transfer-encoding\0: chunked\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-behind-space", post(b" transfer-encoding: chunked\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-in-folded-line", post(b"x: 1\r\n\ttransfer-encoding: chunked\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-behind-bare-cr", post(b"x: 1\rtransfer-encoding: chunked\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-behind-bare-lf", post(b"x: 1\ntransfer-encoding: chunked\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-and-length-apart", post(CHUNKED + b"x: 1\r\nCONTENT-LENGTH: 5\r\n", b"0\r\n\r\n"), REFUSED
    yield "te-named-by-connection", post(CHUNKED + b"connection: transfer-encoding\r\n", b"2\r\nab\r\n0\r\n\r\n"), "ab"
    for name, value in {
        "hex": b"0x2", "underscore": b"2_0", "point": b"2.0", "minus-zero": b"-0", "empty": b"", "exponent": b"2e0", "two-numbers": b"2 2",
        "list-ends-empty": b"2,", "different-list": b"2, 3", "vertical-tab": b"\x0b2", "full-width": "２".encode(), "nul": b"2\0",
        "beyond-64-bits": b"18446744073709551618", "word": b"two", "quoted": b'"2"', "parameter": b"2;a=b",
    }.items():  # fmt: skip
        yield f"length-{name}", post(b"content-length: " + value + b"\r\n", b"ab"), REFUSED
    yield "length-spaces-around", post(b"content-length: \t 2 \t\r\n", b"ab"), "ab"
    yield "length-zeros-before", post(b"content-length: 0002\r\n", b"ab"), (REFUSED, "ab")
    yield "length-named-by-connection", post(b"content-length: 2\r\nconnection: content-length\r\n", b"ab"), "ab"
    yield "length-underscore", post(b"content_length: 2\r\n", b""), (REFUSED, "")
    yield "length-of-get", post(b"content-length: 2\r\n", b"ab", method=b"GET"), "ab"
    yield "chunks-of-get", post(CHUNKED, b"2\r\nab\r\n0\r\n\r\n", method=b"GET"), "ab"
    yield "length-of-delete", post(b"content-length: 2\r\n", b"ab", method=b"DELETE"), "ab"
    yield "no-length-of-post", post(b"", b""), ""


def chunks():
    """Chunk sizes, extensions, ends and trailers (RFC 9112 §7.1)."""
    for name, body in {
        "size-0x": b"0x2\r\nab\r\n0\r\n\r\n", "size-minus": b"-2\r\nab\r\n0\r\n\r\n", "size-plus": b"+2\r\nab\r\n0\r\n\r\n",
        "size-underscore": b"0_2\r\nab\r\n0\r\n\r\n", "size-behind-space": b" 2\r\nab\r\n0\r\n\r\n", "size-behind-tab": b"\t2\r\nab\r\n0\r\n\r\n",
        "size-empty": b"\r\nab\r\n0\r\n\r\n", "size-beyond-64-bits": b"10000000000000002\r\nab\r\n0\r\n\r\n",
        "size-list": b"2,2\r\nab\r\n0\r\n\r\n", "size-nul": b"2\0\r\nab\r\n0\r\n\r\n", "size-bare-cr": b"2\rab\r\n0\r\n\r\n",
        "data-bare-lf": b"2\r\nab\n0\r\n\r\n", "data-bare-cr": b"2\r\nab\r0\r\n\r\n", "data-too-long": b"2\r\nabc\r\n0\r\n\r\n",
        "data-without-end": b"2\r\nab0\r\n\r\n", "last-bare-lf": b"2\r\nab\r\n0\n\r\n", "end-bare-lf": b"2\r\nab\r\n0\r\n\n",
        "extension-bare-lf": b"2;a\nb\r\nab\r\n0\r\n\r\n", "extension-bare-cr": b"2;a\rb\r\nab\r\n0\r\n\r\n",
        "extension-nul": b"2;a=\0\r\nab\r\n0\r\n\r\n", "trailer-bare-lf": b"2\r\nab\r\n0\r\nx: 1\n\r\n", "trailer-nul": b"2\r\nab\r\n0\r\nx: \0\r\n\r\n",
        "trailer-no-colon": b"2\r\nab\r\n0\r\nnothing\r\n\r\n", "trailer-behind-space": b"2\r\nab\r\n0\r\n x: 1\r\n\r\n",
    }.items():  # fmt: skip
        yield f"chunk-{name}", post(CHUNKED, body), REFUSED
    yield "chunk-upper-and-lower", post(CHUNKED, b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), "0123456789" * 2
    yield "chunk-zeros-before", post(CHUNKED, b"0002\r\nab\r\n000\r\n\r\n"), ("ab", REFUSED)
    yield "chunk-extensions", post(CHUNKED, b'2;a=b;c="d;e"\r\nab\r\n0;f\r\n\r\n'), "ab"
    yield "chunk-looks-like-requests", post(CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(behind("inner")), behind("inner"))), behind("inner").decode()
    yield "chunk-trailers", post(CHUNKED, b"2\r\nab\r\n0\r\nx-sum: 1\r\n\r\n"), "ab"
    # Trailers cannot change the framing, the host or who asks (RFC 9110 §6.5.1).
    for name in (b"content-length: 90", b"transfer-encoding: chunked", b"host: other", b"authorization: x"):
        key = name.split(b":")[0].decode()
        yield f"chunk-trailer-{key}", post(CHUNKED, b"2\r\nab\r\n0\r\n" + name + b"\r\n\r\n"), ("ab", REFUSED)


def lines():
    """The request's line, names of fields, and Host (RFC 9112 §3, §5; RFC 9110 §7.2)."""
    for name, line in {
        "two-spaces": b"GET  /read/%b HTTP/1.1", "tab": b"GET\t/read/%b\tHTTP/1.1", "space-behind": b"GET /read/%b HTTP/1.1 ",
        "space-within": b"GET /read/%b x HTTP/1.1", "space-before": b" GET /read/%b HTTP/1.1", "two-crs": b"GET /read/%b HTTP/1.1\r",
        "bare-cr": b"GET /read/%b\rHTTP/1.1", "no-version": b"GET /read/%b", "lower-case-version": b"GET /read/%b http/1.1",
        "long-version": b"GET /read/%b HTTP/1.10", "zero-version": b"GET /read/%b HTTP/01.1", "http-1.2-word": b"GET /read/%b HTTP/1.1x",
        "nul": b"GET /read/%b\0 HTTP/1.1", "form-feed": b"GET /read/%b\x0cHTTP/1.1", "fragment": b"GET /read/%b#x HTTP/1.1",
        "no-slash": b"GET read/%b HTTP/1.1", "other-scheme": b"GET ftp://weir/read/%b HTTP/1.1", "method-in-brackets": b"G(T /read/%b HTTP/1.1",
        "obs-text": b"GET /read/%b\xff HTTP/1.1", "other-authority": b"GET http://other/read/%b HTTP/1.1",
    }.items():  # fmt: skip
        yield f"line-{name}", lambda case, line=line: line % case.encode() + b"\r\n" + HOST + b"\r\n", REFUSED
    yield "line-bare-lf", lambda case: b"GET /read/%b HTTP/1.1\n" % case.encode() + HOST + b"\r\n", REFUSED
    yield "line-empty-ones-before", lambda case: b"\r\n\r\nGET /read/%b HTTP/1.1\r\n" % case.encode() + HOST + b"\r\n", ("", REFUSED)
    yield "line-lf-before", lambda case: b"\nGET /read/%b HTTP/1.1\r\n" % case.encode() + HOST + b"\r\n", REFUSED
    for name, field in {
        "no-colon": b"nothing", "no-name": b": x", "space-in-name": b"a b: x", "space-before": b" a: x", "nul-in-name": b"a\0: x",
        "utf-8-name": "grüße: x".encode(), "bracket-in-name": b"a(: x", "cr-in-value": b"a: b\rc", "nul-in-value": b"a: b\0c",
        "two-hosts": b"Host: weir", "folded": b"a: b\r\n c",
    }.items():  # fmt: skip
        yield f"field-{name}", get(field + b"\r\n"), REFUSED
    yield "field-empty-value", get(b"a:\r\n"), ""
    yield "field-obs-text", get(b"a: \xe9\r\n"), ""
    for name, host in {
        "userinfo": b"a@weir", "path": b"weir/x", "list": b"weir, other", "space": b"we ir", "tab": b"we\tir", "port-word": b"weir:x",
        "query": b"weir?x", "nul": b"weir\0", "fragment": b"weir#x", "scheme": b"http://weir",
    }.items():  # fmt: skip
        yield f"host-{name}", lambda case, host=host: b"GET /read/%b HTTP/1.1\r\nhost: %b\r\n\r\n" % (case.encode(), host), REFUSED
    yield "host-named-by-connection", get(b"connection: host\r\n"), ""
    yield "host-missing", lambda case: b"GET /read/%b HTTP/1.1\r\n\r\n" % case.encode(), REFUSED


def switches():
    """Upgrades that nobody has asked the server for, and connections that look switched."""
    yield "h2c-upgrade", get(b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"), ""
    yield "unknown-upgrade", get(b"connection: upgrade\r\nupgrade: foo/2\r\n"), ""
    yield "upgrade-with-body", post(b"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n", b"ab"), "ab"
    yield "preface-within", lambda case: b"PRI * HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED
    # Only 1.0's own meaning of keep-alive: the connection ends behind the answer, and what follows is nobody's request.
    yield "old-version", lambda case: b"GET /read/%b HTTP/1.0\r\n" % case.encode() + HOST + b"\r\n", "alone"


def post(fields, body, method=b"POST", version=b"HTTP/1.1"):
    return lambda case: b"%b /read/%b %b\r\n" % (method, case.encode(), version) + HOST + fields + b"\r\n" + body


def get(fields):
    return post(fields, b"", method=b"GET")


def behind(case):
    return b"GET /read/%b-behind HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n" % case.encode()


def fire(port, data):
    """Everything that comes back until the connection ends; None if it does not."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(data)
        answer = b""
        try:
            while piece := client.recv(65536):
                answer += piece
        except TimeoutError:
            return None
        except ConnectionError:
            pass  # closed while more of it was on its way
        return answer


def main(port, log):
    cases = [case for table in (framing(), chunks(), lines(), switches()) for case in table]
    answers = {name: fire(port, make(name) + behind(name)) for name, make, _ in cases}
    assert b" 200 " in fire(port, behind("the-end"))
    seen = read(log)
    for name, _, expected in cases:
        if problem := judge(name, answers[name], seen, expected if isinstance(expected, tuple) else (expected,)):
            print(json.dumps({"case": name, "problem": problem, "answer": str(answers[name])[:200], "read": seen.get(name)}))
    print(json.dumps({"cases": len(cases)}))


def read(log):
    """What nginx has read, by case: path and body of each request. It writes the line when the answer is out."""
    for _ in range(100):
        lines = [json.loads(line) for line in pathlib.Path(log).read_text(errors="replace").splitlines()]
        if any("the-end" in line["line"] for line in lines):
            break
        time.sleep(0.1)
    seen = {}
    for line in lines:
        if line["status"] != "200":
            continue  # it never came to its end
        target = line["line"].split(" ")[1].removeprefix("/read/")
        seen.setdefault(target.removesuffix("-behind"), []).append((target, line["body"]))
    return seen


def judge(name, answer, seen, allowed):
    """What is wrong, if anything is."""
    if answer is None:
        return "the connection stays open"
    got = sorted(seen.get(name, []))
    for expected in allowed:
        if expected == REFUSED and not got and answer[:9] == b"HTTP/1.1 " and answer[9:10] in b"45":
            return None
        if expected == "alone" and got == [(name, "")] and answer.count(b"HTTP/1.1 ") == 1:
            return None
        if expected not in (REFUSED, "alone") and got == [(name, expected), (f"{name}-behind", "")] and answer.count(b" 200 ") == 2:
            return None
    return f"it should be {' or '.join(map(repr, allowed))}"


main(int(sys.argv[1]), sys.argv[2])
