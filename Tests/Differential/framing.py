"""`make differential`: do our server and nginx see the same requests in the same bytes?

Two programs that disagree on where a request ends are what request smuggling needs. Each row is
sent to both on a connection of its own; compared are how many requests were answered or refused, in
which order, and whether the connection stays open. Every difference has its reason in the table;
one without, and a reason without a difference, fail.
"""

import concurrent.futures
import contextlib
import dataclasses
import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Benchmarks"))
import benchmark

# What is said of the framing; everything else is the application's answer to a request it has seen.
REFUSALS = {400, 408, 413, 414, 417, 431, 501, 505}
QUIET_SECONDS = 2.0
GET = "GET /v1/healthz HTTP/1.1\r\nHost: a\r\n"
POST = "POST /v1/healthz HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"


@dataclasses.dataclass
class Row:
    name: str
    sent: str
    reason: str = ""
    """Why the two differ; empty where they agree."""


ROWS = [
    # One reading only.
    Row("a request", GET + "\r\n"),
    Row("two in one piece", (GET + "\r\n") * 2),
    Row("HTTP/1.0", "GET /v1/healthz HTTP/1.0\r\n\r\n"),
    Row("HTTP/1.0, kept alive", "GET /v1/healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    Row("Connection: close", GET + "Connection: close\r\n\r\n" + GET + "\r\n"),
    Row("absolute form", "GET http://a/v1/healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
    Row("an empty line before it", "\r\n" + GET + "\r\n"),
    Row("a length", POST + "Content-Length: 3\r\n\r\nabc" + GET + "\r\n"),
    Row("a length with zeros", POST + "Content-Length: 0003\r\n\r\nabc" + GET + "\r\n"),
    Row("a body that looks like a request",
        POST + f"Content-Length: {len(GET) + 2}\r\n\r\n" + GET + "\r\n"),
    Row("GET with a body", GET + "Content-Length: 3\r\n\r\nabc" + GET + "\r\n"),
    Row("chunks", CHUNKED + "3\r\nabc\r\n0\r\n\r\n" + GET + "\r\n"),
    Row("chunks with an extension", CHUNKED + "3;a=b\r\nabc\r\n0\r\n\r\n" + GET + "\r\n"),
    Row("chunks with zeros and capitals",
        CHUNKED + "00A\r\n0123456789\r\n0\r\n\r\n" + GET + "\r\n"),
    Row("chunks with a trailer", CHUNKED + "3\r\nabc\r\n0\r\nX: y\r\n\r\n" + GET + "\r\n"),
    Row("unfinished head", GET),
    Row("unfinished body", POST + "Content-Length: 3\r\n\r\nab"),
    Row("unfinished chunks", CHUNKED + "3\r\nabc\r\n0\r\n"),
    # Two readings: refused.
    Row("length and chunks",
        POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Row("chunks and length",
        POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    Row("two lengths", POST + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    Row("the same length twice", POST + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    Row("a list of lengths", POST + "Content-Length: 3, 3\r\n\r\nabc"),
    Row("a signed length", POST + "Content-Length: +3\r\n\r\nabc"),
    Row("a negative length", POST + "Content-Length: -1\r\n\r\n"),
    Row("a hexadecimal length", POST + "Content-Length: 0x3\r\n\r\nabc"),
    Row("an empty length", POST + "Content-Length:\r\n\r\n"),
    Row("a length beyond 64 bits", POST + "Content-Length: 99999999999999999999\r\n\r\n"),
    Row("a length beyond the limit", POST + "Content-Length: 1048577\r\n\r\n",
        "nginx offers to read on past the body; we close instead of reading 1 MiB for nothing"),
    Row("chunked, twice",
        POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Row("gzip, chunked", POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    Row("chunked, identity", POST + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    Row("identity", POST + "Transfer-Encoding: identity\r\n\r\n"),
    Row("xchunked", POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    Row("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Row("space before the colon", POST + "Content-Length : 3\r\n\r\nabc"),
    Row("a folded line", POST + "X: a\r\n b\r\n\r\n"),
    Row("a line without a colon", GET + "X\r\n\r\n",
        "RFC 9112 §5: a field line has a colon; nginx drops the line"),
    Row("an empty name", GET + ": a\r\n\r\n"),
    Row("a name that is no token", GET + "X(y): a\r\n\r\n",
        "RFC 9110 §5.1: a name is a token; nginx drops the line"),
    Row("NUL in a value", GET + "X: a\0b\r\n\r\n"),
    Row("a control byte in a value", GET + "X: a\x01b\r\n\r\n",
        "RFC 9110 §5.5 forbids it; nginx passes it on"),
    Row("CR within a value", GET + "X: a\rY: b\r\n\r\n"),
    Row("bare line feeds", "GET /v1/healthz HTTP/1.1\nHost: a\n\n",
        "RFC 9112 §2.2 allows nginx to take them; two readings of one line end are one too many"),
    Row("no Host", "GET /v1/healthz HTTP/1.1\r\n\r\n"),
    Row("two Hosts", GET + "Host: b\r\n\r\n"),
    Row("an invalid Host", "GET /v1/healthz HTTP/1.1\r\nHost: a b\r\n\r\n"),
    Row("user information in Host", "GET /v1/healthz HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "RFC 9110 §7.2: Host is host and port; nginx takes it as a name"),
    Row("two empty lines before it", "\r\n\r\n" + GET + "\r\n",
        "RFC 9112 §2.2 asks for one at least; nginx skips any number"),
    Row("two spaces in the request line", "GET  /v1/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 9112 §3: one space; nginx is lenient"),
    Row("a space after the version", "GET /v1/healthz HTTP/1.1 \r\nHost: a\r\n\r\n",
        "RFC 9112 §3: nothing follows the version; nginx is lenient"),
    Row("a raw space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    Row("a fragment", "GET /v1/healthz#a HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 9112 §3.2: a target has no fragment; nginx cuts it off"),
    Row("a bad escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    Row("no version", "GET /v1/healthz\r\n",
        "nginx still answers HTTP/0.9, which has no head"),
    Row("HTTP/2.0", "GET /v1/healthz HTTP/2.0\r\nHost: a\r\n\r\n"),
    Row("an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Row("lower-case version", "GET /v1/healthz http/1.1\r\nHost: a\r\n\r\n"),
    Row("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    Row("a method in lower case", "get /v1/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 9110 §9.1: a token, and case-sensitive; well-framed, so that it gets 405"),
    Row("bytes of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    Row("a chunk size with a sign", CHUNKED + "+3\r\nabc\r\n0\r\n\r\n"),
    Row("a chunk size of 0x3", CHUNKED + "0x3\r\nabc\r\n0\r\n\r\n"),
    Row("a chunk size beyond 64 bits", CHUNKED + "fffffffffffffffff\r\nabc"),
    Row("a chunk without its line end", CHUNKED + "3\r\nabcd\r\n0\r\n\r\n"),
    Row("a chunk ended by a line feed", CHUNKED + "3\r\nabc\n0\r\n\r\n",
        "RFC 9112 §7.1: CR LF; nginx is lenient"),
    Row("a chunk size ended by a line feed", CHUNKED + "3\nabc\r\n0\r\n\r\n",
        "RFC 9112 §7.1: CR LF; nginx is lenient"),
    Row("no chunk size", CHUNKED + "\r\nabc\r\n0\r\n\r\n"),
]


def outcome(port: int, sent: str) -> str:
    """What came of the bytes, such as "answered, refused, closed"."""
    received = b""
    end = "closed"
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.settimeout(QUIET_SECONDS)
        connection.sendall(sent.encode("latin-1"))
        try:
            while piece := connection.recv(65536):
                received += piece
        except TimeoutError:
            end = "open"
        except ConnectionResetError:
            pass
    return ", ".join([*statuses(received), end])


def statuses(received: bytes) -> list[str]:
    """Walks from answer to answer by their lengths."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 (\d{3})", head)
        if not status:
            return [*found, f"garbage {head[:40]!r}"]
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        received = rest[int(length[1]) if length else 0:]
        found.append("refused" if int(status[1]) in REFUSALS else "answered")
    return found


@contextlib.contextmanager
def framing_nginx(folder: pathlib.Path):
    """nginx that reads each request whole before it answers, as a proxy of itself."""
    port, backend = benchmark.free_port(), benchmark.free_port()
    server = f"""
        server {{
          listen 127.0.0.1:{port};
          location / {{ proxy_pass http://127.0.0.1:{backend}; }}
        }}
        server {{
          listen 127.0.0.1:{backend};
          location / {{ return 200 'ok'; }}
        }}"""
    with benchmark.run_nginx(folder, server, port):
        yield port


def main() -> None:
    with (
        benchmark.working_folder() as folder,
        benchmark.Splitstream.start(folder) as splitstream,
        framing_nginx(folder) as nginx,
        concurrent.futures.ThreadPoolExecutor(len(ROWS)) as pool,
    ):
        ours = list(pool.map(lambda row: outcome(splitstream.port, row.sent), ROWS))
        theirs = list(pool.map(lambda row: outcome(nginx, row.sent), ROWS))
    unexplained = 0
    print("| Sent | Splitstream | nginx | Why they differ |")
    print("| --- | --- | --- | --- |")
    for row, mine, other in zip(ROWS, ours, theirs):
        reason = row.reason
        if (mine == other) == bool(reason):
            unexplained += 1
            reason = "**no difference any more**" if reason else "**unexplained**"
        print(f"| {row.name} | {mine} | {other} | {reason} |")
    if unexplained:
        raise SystemExit(f"{unexplained} rows do not say why")


if __name__ == "__main__":
    main()
