"""Downloading a large file: resumable, verified, written atomically.

Standard library only. Proxies are taken from the environment, as everywhere.
"""

import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import IO, Any

from wordsight import __version__
from wordsight.errors import ModelError
from wordsight.files import lock

MEGABYTE = 1_000_000
ATTEMPTS = 4
"""Attempts in a row that may bring nothing."""

PAUSE = 1.0
"""Seconds before the next attempt."""

TIMEOUT = 30
"""Seconds to wait for the next byte."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Download:
    """One file from `url` to the path `to`. Iterating over it downloads; it yields once per megabyte, for a bar.

    What has arrived is kept beside the target as `NAME.part` until all of it is there.

    Attributes:
        sha256: the expected digest or its beginning; empty for that which the server states, if it does (Hugging Face).
        verified: whether the file was compared with a published digest; to be read at the end.
        limit: bytes; a file that is longer, or never ends, is refused.

    Raises (while iterating):
        ModelError: the network fails, the server refuses, or the file is not what was published.
    """

    def __init__(self, url: str, to: Path, sha256: str = "", *, limit: int = 20_000_000_000) -> None:
        self.url, self.to, self.sha256, self.limit = url, to, sha256, limit
        self.verified = False
        self._anew = False  # what has arrived is of another file
        self._part = to.with_name(f"{to.name}.part")
        self._tag = to.with_name(f"{to.name}.part.etag")  # of the version that the part belongs to

    def __iter__(self) -> Iterator[None]:
        try:
            if not self.to.exists():
                self.to.parent.mkdir(parents=True, exist_ok=True)
                with _alone(self._part):
                    yield from self._megabytes()
                    self._check(self._part, "what arrived")
                    self._part.replace(self.to)
                    self._tag.unlink(missing_ok=True)
            elif self.sha256:
                self._check(self.to, "the file there")
        except OSError as error:
            raise ModelError(f"{self.to} cannot be written ({error.strerror or error}): check --out") from None

    def _megabytes(self) -> Iterator[None]:
        """Download into the part file, with as many attempts as it takes while each brings something."""
        failures, shown = 0, 0
        while failures < ATTEMPTS:
            before = self._have()
            try:
                for have in self._attempt():
                    for _ in range(shown, have // MEGABYTE):
                        yield
                    shown = max(shown, have // MEGABYTE)
                return
            except urllib.error.HTTPError as error:
                if error.code == 416:  # nothing is left to send, or the part is of another file
                    if error.headers.get("Content-Range", "").endswith(f"/{before}"):
                        return
                    self._empty()
                elif error.code < 500 and error.code != 429:
                    raise ModelError(f"{self.url} answers {error.code} {error.reason}: look at its page") from None
                reason = f"{error.code} {error.reason}"
            except _NETWORK as error:
                reason = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
            failures = 0 if self._have() > before else failures + 1
            if failures < ATTEMPTS:
                time.sleep(PAUSE)
        kept = f"; {self._have() / MEGABYTE:.1f} MB are kept, and the next pull resumes there" if self._have() else ""
        raise ModelError(f"{self.url} cannot be downloaded ({reason}): check the network{kept}")

    def _attempt(self) -> Iterator[int]:
        """One request from where the part ends. Yields how many bytes there are."""
        have = 0 if self._anew else self._have()
        headers = {"User-Agent": f"wordsight/{__version__}"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self._tag.exists():
                headers["If-Range"] = self._tag.read_text(encoding="ascii")
        redirects = _Redirects()
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310  (addresses of the catalogue)
        with urllib.request.build_opener(redirects).open(request, timeout=TIMEOUT) as answer:
            if answer.headers.get_content_type() == "text/html":
                raise ModelError(f"{self.url} returned a web page, not a file: see its download page")
            self.sha256 = self.sha256 or redirects.sha256 or _stated(answer.headers)
            resumed = answer.status == 206
            tag = answer.headers.get("ETag", "")
            other = resumed and self._tag.exists() and tag != self._tag.read_text(encoding="ascii")
            if other or (resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")):
                self._anew = True
                raise http.client.HTTPException(
                    "the server sent another part of the file than requested, or another file"
                )
            start = have if resumed else 0
            length = answer.headers.get("Content-Length")
            if length is None and not self.sha256 and answer.headers.get("Transfer-Encoding") != "chunked":
                raise ModelError(f"{self.url} states neither length nor SHA-256: its completeness cannot be checked")
            whole = start + int(length) if length else None
            if whole is not None and whole > self.limit:
                raise ModelError(f"{self.url} states {whole} bytes, more than {self.limit} bytes: look at its page")
            self._remember(tag)
            if not resumed:
                self._empty()
                self._anew = False
            with self._part.open("ab") as file:
                have = start
                yield have
                while piece := answer.read(MEGABYTE):
                    have += len(piece)
                    if have > self.limit:
                        raise ModelError(f"{self.url} sends more than {self.limit} bytes: look at its page")
                    file.write(piece)
                    yield have
        if whole is not None and have < whole:
            raise http.client.IncompleteRead(b"", whole - have)

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _empty(self) -> None:
        """Starts over, in the same file, which is locked."""
        if self._part.exists():
            with self._part.open("r+b") as file:
                file.truncate()

    def _remember(self, tag: str) -> None:
        if tag.isascii() and tag.startswith('"'):  # weak ones do not vouch for bytes
            self._tag.write_text(tag, encoding="ascii")
        else:
            self._tag.unlink(missing_ok=True)

    def _check(self, file: Path, what: str) -> None:
        if not self.sha256:
            return
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if not found.startswith(self.sha256):
            cure = "remove it and pull again"
            if file == self._part:
                file.unlink()
                self._tag.unlink(missing_ok=True)
                cure = "it was removed, pull again"
            raise ModelError(
                f"{self.to}: {what} has SHA-256 {found[:16]}..., not {self.sha256[:16]} as published: {cure}"
            )
        self.verified = True


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Locks a part file, so that two pulls do not write to the same one.

    Raises:
        ModelError: another process is writing it.
    """
    with part.open("ab") as file:
        if not lock(file):
            raise ModelError(f"{part}: another pull is downloading it: wait until it is done")
        try:
            yield
        finally:
            if part.exists() and not part.stat().st_size:  # nothing came
                part.unlink()


_NETWORK = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, not from https to anything less, and notes the digest that is stated on the way."""

    def __init__(self) -> None:
        self.sha256 = ""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """See the base class."""
        self.sha256 = self.sha256 or _stated(headers)
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise ModelError(f"{req.full_url} leads to {newurl}, which is not encrypted: see its download page")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _stated(headers: Message) -> str:
    """The SHA-256 that Hugging Face states of large files."""
    tag = str(headers.get("X-Linked-Etag", "")).strip('"')
    return tag if _SHA256.fullmatch(tag) else ""
