"""A server of one file that behaves as the path says. Run as a program: prints its port, serves until it is killed.

/plain/x: with Range and ETag. /norange/x: without. /cut/x: as plain, but every answer ends after 300,000 bytes.
/late/x: refuses the first two requests with 503. /linked/x: leads to /plain/x and states a SHA-256, as Hugging Face.
/lies/x: the same with a wrong one. /page/x: a web page. /moved/x: as plain, but every answer has another ETag.
/old/x: as plain, but knows no If-Range, and every answer has another ETag. /slow/x: as plain, in two seconds.
/silent/x: says no length, and ends early. /endless/x: says none, in chunks without end.
/deaf/x: says it sends more than it does, and never more than 1,000 bytes in all.
"""

import contextlib
import hashlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

CONTENT = Random(7).randbytes(2_500_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self) -> None:
        Handler.requests += 1
        kind = self.path.split("/")[1]
        match kind:
            case "linked" | "lies":
                self.send_response(302)
                self.send_header("Location", "/plain/x")
                self.send_header("X-Linked-Etag", f'"{SHA256 if kind == "linked" else "0" * 64}"')
                self.end_headers()
            case "page":
                self.answer(200, b"<html>log in first</html>", content_type="text/html; charset=utf-8")
            case "late" if Handler.requests <= 2:
                self.send_error(503)
            case "plain" | "cut" | "late" | "moved" | "old" | "slow":
                self.part(kind)
            case "silent":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(CONTENT[:1_000])
                self.close_connection = True
            case "endless":
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                with contextlib.suppress(OSError):
                    while True:
                        self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            case "norange":
                self.answer(200, CONTENT)
            case "deaf":
                self.answer(200, CONTENT, sent=1_000)
            case _:
                self.send_error(404)

    def part(self, kind: str) -> None:
        tag = f'"{Handler.requests if kind in ("moved", "old") else 1}"'
        asked = self.headers.get("Range")
        if kind == "slow":
            time.sleep(2)
        if asked and (kind == "old" or self.headers.get("If-Range", tag) == tag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.end_headers()
                return
            where = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.answer(206, CONTENT[start:], tag, where, sent=300_000 if kind == "cut" else None)
        else:
            self.answer(200, CONTENT, tag, sent=300_000 if kind in ("cut", "moved", "old") else None)

    def answer(self, status: int, content: bytes, tag="", where="", sent=None, content_type="") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", content_type or "application/octet-stream")
        if tag:
            self.send_header("ETag", tag)
        if where:
            self.send_header("Content-Range", where)
        self.end_headers()
        self.wfile.write(content[:sent])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        sys.stderr.write(f"{self.path} {self.headers.get('Range', '-')}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
