"""Downloads against a server in a process of its own."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from file_server import CONTENT, SHA256

from wordsight.errors import ModelError
from wordsight.weights import download
from wordsight.weights.catalogue import PUBLISHED
from wordsight.weights.download import Download


class Server:
    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("wb") as stderr:
            command = [sys.executable, str(Path(__file__).with_name("file_server.py"))]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
        self.address = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def asked(self) -> list[str]:
        """From where on, of each request."""
        return [line.split()[-1] for line in self._log.read_text().splitlines()]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.01)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server(tmp_path / "requests.log")
    yield server
    server.stop()


def fetch(server, kind, to, sha256=""):
    job = Download(f"{server.address}/{kind}/x", to, sha256)
    steps = sum(1 for _ in job)
    return job, steps


def test_whole_file(server, tmp_path):
    job, steps = fetch(server, "plain", tmp_path / "new" / "x.pt", SHA256)
    assert (tmp_path / "new" / "x.pt").read_bytes() == CONTENT
    assert job.verified
    assert steps == 2  # once per megabyte
    assert [f.name for f in (tmp_path / "new").iterdir()] == ["x.pt"]


def test_the_beginning_of_a_digest_is_enough(server, tmp_path):
    assert fetch(server, "plain", tmp_path / "x.pt", SHA256[:8])[0].verified


def test_connections_that_are_cut_go_on_where_they_were(server, tmp_path):
    job, steps = fetch(server, "cut", tmp_path / "x.pt", SHA256)
    assert (tmp_path / "x.pt").read_bytes() == CONTENT
    assert job.verified
    assert steps == 2
    # the first answer has the file's beginning, each further one what follows
    starts = [0 if asked == "-" else int(asked.removeprefix("bytes=").removesuffix("-")) for asked in server.asked()]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert len(starts) == 9  # 2,500,000 / 300,000


def test_an_interrupted_process_goes_on_where_it_was(server, tmp_path):
    steps = iter(Download(f"{server.address}/plain/x", tmp_path / "x.pt", SHA256))
    next(steps)
    steps.close()  # as if interrupted
    part = tmp_path / "x.pt.part"
    assert 0 < part.stat().st_size < len(CONTENT)
    assert not (tmp_path / "x.pt").exists()
    have = part.stat().st_size
    job, _ = fetch(server, "plain", tmp_path / "x.pt", SHA256)
    assert job.verified
    assert server.asked() == ["-", f"bytes={have}-"]
    assert not part.exists()
    assert not (tmp_path / "x.pt.part.etag").exists()


def test_a_part_of_another_version_is_not_used(server, tmp_path):
    (tmp_path / "x.pt.part").write_bytes(b"old" * 1000)
    (tmp_path / "x.pt.part.etag").write_text('"0"')
    fetch(server, "plain", tmp_path / "x.pt", SHA256)
    assert (tmp_path / "x.pt").read_bytes() == CONTENT


def test_a_part_that_was_all(server, tmp_path):
    (tmp_path / "x.pt.part").write_bytes(CONTENT)
    job, _ = fetch(server, "plain", tmp_path / "x.pt", SHA256)
    assert job.verified
    assert server.asked() == [f"bytes={len(CONTENT)}-"]


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / "x.pt.part").write_bytes(CONTENT + b"more")
    fetch(server, "plain", tmp_path / "x.pt", SHA256)
    assert (tmp_path / "x.pt").read_bytes() == CONTENT


def test_servers_without_ranges_send_all_again(server, tmp_path):
    (tmp_path / "x.pt.part").write_bytes(CONTENT[:1_000_000])
    job, _ = fetch(server, "norange", tmp_path / "x.pt", SHA256)
    assert (tmp_path / "x.pt").read_bytes() == CONTENT
    assert job.verified


def test_a_file_that_is_there_is_verified_not_loaded(server, tmp_path):
    (tmp_path / "x.pt").write_bytes(CONTENT)
    assert fetch(server, "plain", tmp_path / "x.pt", SHA256)[0].verified
    assert not fetch(server, "plain", tmp_path / "x.pt")[0].verified
    (tmp_path / "x.pt").write_bytes(CONTENT[:-1])
    with pytest.raises(ModelError, match="the file there has SHA-256"):
        fetch(server, "plain", tmp_path / "x.pt", SHA256)
    assert server.asked() == []


def test_a_wrong_file_does_not_stay(server, tmp_path):
    with pytest.raises(ModelError, match=r"what arrived has SHA-256 .* as published: it was removed") as error:
        fetch(server, "plain", tmp_path / "x.pt", "1234" * 16)
    assert "\n" not in str(error.value)
    assert [f.name for f in tmp_path.iterdir() if f.name in ("x.pt", "x.pt.part")] == []


def test_the_digest_that_hugging_face_states(server, tmp_path):
    assert fetch(server, "linked", tmp_path / "x.pt")[0].verified
    with pytest.raises(ModelError, match="what arrived has SHA-256"):
        fetch(server, "lies", tmp_path / "y.pt")


def test_a_busy_server_is_asked_again(server, tmp_path):
    assert fetch(server, "late", tmp_path / "x.pt", SHA256)[0].verified
    assert len(server.asked()) >= 3


def test_not_found(server, tmp_path):
    with pytest.raises(ModelError, match="answers 404 Not Found: look at its page") as error:
        fetch(server, "elsewhere", tmp_path / "x.pt")
    assert "\n" not in str(error.value)
    assert len(server.asked()) <= 2  # the server logs errors twice


def test_a_web_page_is_no_file(server, tmp_path):
    with pytest.raises(ModelError, match="returned a web page"):
        fetch(server, "page", tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()


def test_no_network(server, tmp_path):
    (tmp_path / "x.pt.part").write_bytes(CONTENT[:1_500_000])
    server.stop()
    with pytest.raises(ModelError, match=r"refused.*check the network; 1\.5 MB are kept") as error:
        fetch(server, "plain", tmp_path / "x.pt")
    assert "\n" not in str(error.value)
    (tmp_path / "x.pt.part").unlink()
    with pytest.raises(ModelError, match=r"check the network$"):
        fetch(server, "plain", tmp_path / "x.pt")


def test_a_server_that_brings_nothing_new_is_given_up(server, tmp_path):
    with pytest.raises(ModelError, match="cannot be downloaded"):
        fetch(server, "deaf", tmp_path / "x.pt")
    assert len(server.asked()) == 1 + download.ATTEMPTS


def test_a_file_that_changes_all_the_time_is_given_up(server, tmp_path):
    with pytest.raises(ModelError, match="cannot be downloaded"):
        fetch(server, "moved", tmp_path / "x.pt")


def test_nowhere_to_write(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"cannot be written .*check --out"):
        fetch(server, "plain", tmp_path / "file" / "x.pt")


def test_encrypted_addresses_lead_to_encrypted_ones_only():
    import urllib.request

    request = urllib.request.Request("https://example.org/x")
    with pytest.raises(ModelError, match="not encrypted"):
        download._Redirects().redirect_request(request, None, 302, "Found", {}, "http://example.org/x")


def test_the_catalogue_is_sound():
    from wordsight.evaluate.benchmarks import published

    known = {row.model for row in published() if row.suite == "parseq-full"}
    for name, weights in PUBLISHED.items():
        assert name == name.lower()
        assert weights.page.startswith("https://")
        assert weights.megabytes > 10
        assert weights.licence
        assert not weights.scores_as or weights.scores_as in known
        names = [file.name for file in weights.files]
        assert len(set(names)) == len(names)
        for file in weights.files:
            assert file.url.startswith("https://")
            assert set(file.sha256) <= set("0123456789abcdef")
            assert "/" not in file.name
            assert "?" not in file.name
    for name in ("clip-b32", "clip-b16", "clip-l14", "clip-l14-336"):
        (file,) = PUBLISHED[name].files
        assert file.sha256 == file.url.split("/")[-2]
        assert len(file.sha256) == 64


def test_two_pulls_of_one_file_do_not_mix(server, tmp_path):
    to = tmp_path / "x.pt"
    found = []

    def other():
        for _ in range(50):  # until the first one holds the file
            if (tmp_path / "x.pt.part").exists():
                break
            time.sleep(0.02)
        with pytest.raises(ModelError, match="another pull is downloading it"):
            list(Download(f"{server.address}/plain/x", to))
        found.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    list(Download(f"{server.address}/slow/x", to))
    thread.join()
    assert found
    assert to.read_bytes() == CONTENT
    list(Download(f"{server.address}/plain/x", tmp_path / "y.pt"))  # which nobody holds


def test_a_part_of_another_file_is_thrown_away_where_the_server_does_not_look(server, tmp_path):
    with pytest.raises(ModelError, match="cannot be downloaded"):
        list(Download(f"{server.address}/old/x", tmp_path / "x.pt"))
    assert not (tmp_path / "x.pt").exists()


def test_a_file_without_length_or_digest_may_be_half_of_it(server, tmp_path):
    with pytest.raises(ModelError, match="neither length nor SHA-256"):
        list(Download(f"{server.address}/silent/x", tmp_path / "x.pt"))
    assert not (tmp_path / "x.pt").exists()


@pytest.mark.parametrize("kind", ["endless", "plain"])
def test_a_file_may_not_be_longer_than_is_known_of_it(server, tmp_path, kind):
    with pytest.raises(ModelError, match=r"over 1000000|more than 1000000 bytes"):
        list(Download(f"{server.address}/{kind}/x", tmp_path / "x.pt", limit=1_000_000))
    assert sum(file.stat().st_size for file in tmp_path.glob("x.pt*")) <= 1_000_000
