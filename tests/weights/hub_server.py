"""As much of the Hugging Face hub as pushing and pulling needs: repositories in memory, files inside commits."""

import base64
import json
import threading
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

TOKEN = "hf_of_the_tests"


class Hub(BaseHTTPRequestHandler):
    repositories: dict[str, dict[str, bytes]]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self, body=b"", status=200, **headers):
        body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self):
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return False
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer({"error": "no"}, 401)
        return True

    def do_POST(self):
        if self._refused():
            return
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        path = unquote(self.path.split("?")[0])
        if path == "/api/repos/create":
            asked = json.loads(sent)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.repositories.setdefault(name, {})
            self._answer({"url": f"http://{self.headers['Host']}/{name}", "name": name})
        elif path == "/api/validate-yaml":  # the header of a card
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(sent)["files"]]
            self._answer({"files": files})
        elif "/commit/" in path:
            name = path.removeprefix("/api/models/").split("/commit/")[0]
            for line in sent.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.repositories[name][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self._answer(
                {"commitUrl": f"http://{self.headers['Host']}/{name}/commit/{'0' * 40}", "commitOid": "0" * 40}
            )
        else:
            self._answer({"error": path}, 404)

    def do_GET(self):
        path = unquote(self.path.split("?")[0])
        if path.startswith("/api/models/"):
            name = "/".join(path.removeprefix("/api/models/").split("/")[:2])
            if name not in self.repositories:
                self._answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            elif "/tree/" in path:
                files = self.repositories[name].items()
                self._answer([{"type": "file", "path": p, "size": len(c), "oid": "0" * 40} for p, c in files])
            else:
                files = [{"rfilename": file} for file in self.repositories[name]]
                self._answer({"id": name, "sha": "0" * 40, "siblings": files})
            return
        name, _, rest = path[1:].partition("/resolve/")
        content = self.repositories.get(name, {}).get(rest.partition("/")[2])
        if content is None:
            self._answer({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
        else:
            self._answer(content, ETag=f'"{sha256(content).hexdigest()}"', X_Repo_Commit="0" * 40)

    do_HEAD = do_GET


@contextmanager
def hub():
    """Its address, and its repositories: name -> file -> content."""
    Hub.repositories = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", Hub.repositories
    finally:
        server.shutdown()
        server.server_close()
