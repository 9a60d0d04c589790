"""The command as operators meet it: slow clients, full queues, deadlines, signals, ports that are taken."""

import io
import platform
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import httpx2
import pytest
from PIL import Image
from running_service import WORDSIGHT, Running, Start, crop, picture

from wordsight import Reader
from wordsight.errors import pip_install
from wordsight.runtime.sessions import processors


def _connect(running: Running) -> socket.socket:
    address = urlsplit(running.url)
    line = socket.create_connection((address.hostname, address.port))
    line.settimeout(30)
    return line


def _head(length: int, path: str = "/v1/read") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def _status(line: socket.socket) -> int:
    return int(line.recv(65536).split()[1])


def test_slow_clients_are_given_up_and_keep_nobody_waiting(started: Start) -> None:
    running = started("--timeout", "2", "--queue", "1")
    data = picture("HOTEL")
    lines = [_connect(running) for _ in range(30)]  # more than there are places: who sends has none yet
    for number, line in enumerate(lines):
        line.sendall(_head(len(data)) + data[: number * 10])
    assert httpx2.post(running.url + "/v1/crops", content=crop("EXIT"), timeout=30).status_code == 200
    assert [_status(line) for line in lines] == [408] * 30


@pytest.mark.parametrize("piece", [b"x" * 1000, b"x: " + b"y" * 1000 + b"\r\n"], ids=["one header", "many"])
def test_a_head_without_end_is_refused(service: Running, piece: bytes) -> None:
    with _connect(service) as line:
        line.sendall(b"POST /v1/read HTTP/1.1\r\nHost: x\r\na: ")
        with pytest.raises(OSError):  # noqa: PT012, PT011  (reset, or a broken pipe)
            for _ in range(10_000):
                line.sendall(piece)
                time.sleep(0.0001)
        assert b" 431 " in line.recv(65536)


def test_what_is_not_http_is_refused_in_one_line(service: Running) -> None:
    with _connect(service) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01")  # TLS
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"error": "this cannot be understood' in answer


def test_connections_that_say_nothing_or_a_head_too_slowly_are_closed() -> None:
    """After a moment, here: the limit is half a minute."""
    code = """
import sys
from wordsight.cli.main import main
from wordsight.serve import protocol
protocol.MAX_SECONDS = 0.5
sys.argv = ["wordsight", "serve", "--port", "0"]
main()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        running = Running(process.stderr.readline().split(" at ")[1].strip().rstrip("/"), process)
        with _connect(running) as silent, _connect(running) as slow:
            slow.sendall(b"GET /health/live HTTP/1.1\r\n")
            with suppress(OSError):
                for _ in range(40):
                    slow.sendall(b"a: b\r\n")
                    time.sleep(0.05)
            assert silent.recv(100) == b""
            with suppress(ConnectionError):
                assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    finally:
        process.kill()
        process.wait()


def test_a_client_that_leaves_in_the_middle_harms_nobody(service: Running) -> None:
    data = picture("HOTEL")
    for sent in (0, 100, len(data)):
        for _ in range(3):
            with _connect(service) as line:
                line.sendall(_head(len(data)) + data[:sent])
    assert httpx2.post(service.url + "/v1/read", content=data, timeout=60).json()["lines"][0]["text"] == "HOTEL"
    assert not [line for line in service.log if "Traceback" in line]


@pytest.mark.parametrize("sent", ["half", "all"])
@pytest.mark.parametrize("path", ["/v1/read", "/v1/batch"])
def test_who_leaves_is_not_counted_as_late(service: Running, path: str, sent: str) -> None:
    def counted(reason: str) -> float:
        lines = httpx2.get(service.url + "/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if f'rejected_total{{reason="{reason}"}}' in line)

    before, late = counted("gone"), counted("deadline")
    data = picture(*["HOTEL EXIT"] * 2)
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + data + b"\r\n"
    body = part * (40 if path == "/v1/batch" else 1) + b"--x--\r\n"
    head = _head(len(body), path).replace(b"\r\n\r\n", b"\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n")
    with _connect(service) as line:
        line.sendall(head + (body if sent == "all" else body[: len(body) // 2]))
    end = time.monotonic() + 60
    while counted("gone") == before and time.monotonic() < end:
        time.sleep(0.05)
    assert counted("gone") == before + 1
    assert counted("deadline") == late


def test_who_finds_the_queue_full_is_told_when_to_come_again(started: Start) -> None:
    running = started("--queue", "0", "--timeout", "300")
    data = picture("HOTEL", "EXIT 42")

    def send(_: int) -> tuple[int, float, str | None]:
        start = time.perf_counter()
        answer = httpx2.post(running.url + "/v1/read", content=data, timeout=60)
        return answer.status_code, time.perf_counter() - start, answer.headers.get("Retry-After")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(16)))
    assert {status for status, _, _ in answers} == {200, 503}
    assert {again for status, _, again in answers if status == 503} == {"1"}
    read, refused = ([seconds for status, seconds, _ in answers if status == wanted] for wanted in (200, 503))
    assert statistics.median(refused) < min(read)  # nobody waits to be refused
    assert httpx2.post(running.url + "/v1/read", content=data, timeout=60).status_code == 200


def test_what_takes_too_long_is_answered_in_time(started: Start) -> None:
    running = started("--timeout", "0.3", "--queue", "40")
    data = picture("HOTEL", "EXIT 42")

    def send(_: int) -> tuple[int, float]:
        start = time.perf_counter()
        return httpx2.post(running.url + "/v1/read", content=data, timeout=60).status_code, time.perf_counter() - start

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(12)))
    assert 504 in {status for status, _ in answers}
    assert {status for status, _ in answers} <= {200, 504, 408}


def test_sigterm_finishes_what_was_accepted_and_ends_with_0(started: Start, reader: Reader) -> None:
    running = started()
    data = picture("HOTEL", "EXIT 42")
    wanted = reader.read(data, name="x").to_dict()
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(httpx2.post, running.url + "/v1/read?name=x", content=data, timeout=60) for _ in range(4)]
        while not any(job.done() for job in jobs):
            if "wordsight_running 4.0" in httpx2.get(running.url + "/metrics").text:
                break
        running.process.send_signal(signal.SIGTERM)
        assert [job.result().json() for job in jobs] == [wanted] * 4
    assert running.process.wait(30) == 0
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(running.url + "/health/live")


def test_a_second_signal_ends_at_once(started: Start) -> None:
    running = started()
    with _connect(running) as line:
        line.sendall(_head(1000))  # is waited for
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert running.process.poll() is None
        start = time.perf_counter()
        assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM
        assert time.perf_counter() - start < 2


def test_a_service_that_listens_is_alive_before_it_is_ready_and_does_not_start_twice(service: Running) -> None:
    port = urlsplit(service.url).port
    done = subprocess.run([WORDSIGHT, "serve", "--port", str(port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"127.0.0.1:{port} cannot be opened (Address already in use): choose" in done.stderr


@pytest.mark.parametrize(
    "options", [["--model", "no-such-model"], ["--host", "no.such.host.invalid"], ["--device", "coreml"]]
)
def test_what_cannot_start_says_so_in_one_line(options: list[str]) -> None:
    done = subprocess.run([WORDSIGHT, "serve", "--port", "0", *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("wordsight: ")
    assert done.stderr.count("\n") == 1


def test_without_its_extra_the_command_says_what_to_install() -> None:
    code = """
import sys
sys.modules["uvicorn"] = None
sys.argv = ["wordsight", "serve"]
from wordsight.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"wordsight: uvicorn is not installed: {pip_install('serve')}\n"


def test_it_listens_on_this_machine_only(service: Running) -> None:
    """Unless told otherwise."""
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    assert urlsplit(service.url).hostname == "127.0.0.1"
    for address in others:
        with pytest.raises(ConnectionError):
            socket.create_connection((address, urlsplit(service.url).port), timeout=1)


@pytest.mark.slow  # it measures times
def test_liveness_answers_while_large_pictures_are_read(started: Start) -> None:
    """Turned photos of twelve megapixels, whose decoding keeps Python busy."""
    running = started("--timeout", "100")
    image = Image.new("RGB", (4000, 3000), "white")
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    image.save(data, "JPEG", exif=exif)
    waits, done = [], threading.Event()

    def probe() -> None:
        with httpx2.Client() as http:
            while not done.is_set():
                start = time.perf_counter()
                assert http.get(running.url + "/health/live").status_code == 200
                waits.append(time.perf_counter() - start)
                time.sleep(0.02)

    prober = threading.Thread(target=probe)
    prober.start()
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(httpx2.post, running.url + "/v1/read", content=data.getvalue(), timeout=120) for _ in range(4)
        ]
        assert [job.result().status_code for job in jobs] == [200] * 4
    done.set()
    prober.join()
    assert len(waits) > 10
    assert max(waits) < 0.2, max(waits)


ARENAS = """
import ctypes, sys, threading
from wordsight.serve.server import share_memory
if sys.argv[1] == "limited":
    share_memory()
libc, everyone = ctypes.CDLL(None), threading.Barrier(16)
libc.fdopen.restype = ctypes.c_void_p
def work():
    everyone.wait()
    libc.malloc(1000)
    everyone.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the GNU C library's alone")
def test_threads_share_as_many_arenas_as_there_are_processors(monkeypatch):
    def arenas(what):
        done = subprocess.run([sys.executable, "-c", ARENAS, what], capture_output=True, check=True)
        return done.stdout.count(b"<heap nr=")

    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert arenas("free") > arenas("limited")
    assert arenas("limited") <= max(2, processors())
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    assert arenas("limited") == 1
