"""The service under load, against the library: same answers, throughput, latency, memory, rubbish.

python benchmarks/serving.py PHOTOS... [--model MODEL] [--clients 8] [--rounds 5] [--photos 8] [--crops 96] [--grow 0]

Starts a service of its own on this machine, whose clients run here, too: their work counts against the service. Both
sides take turns, so that a busy machine treats them alike. Prints JSON.
"""

import argparse
import http.client
import io
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from wordsight import Reader
from wordsight.runtime import DEFAULT


class Client:
    """A connection that is kept."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=300)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and answer."""
        return self._ask("POST", path, body)

    def get(self, path: str) -> bytes:
        """The answer."""
        return self._ask("GET", path)[1]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        self._line.request(method, path, body, {"Content-Type": "application/octet-stream"})
        answer = self._line.getresponse()
        return answer.status, answer.read()


def start(model: str) -> tuple[subprocess.Popen[str], str]:
    """A service, and where it is."""
    command = [sys.executable, "-m", "wordsight.cli.main", "serve", "--port", "0", "--model", model, "--queue", "500"]
    process = subprocess.Popen([*command, "--timeout", "300"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    found = re.search(r"http://\S+", process.stderr.readline())
    assert found
    threading.Thread(target=lambda: list(process.stderr or ()), daemon=True).start()
    url = found[0].rstrip("/")
    while b'"ready"' not in Client(url).get("/health/ready"):
        time.sleep(0.1)
    return process, url


def crops_of(reader: Reader, photos: Sequence[bytes], count: int) -> list[bytes]:
    """Words cut out of the photos, upright, as PNG; repeated until there are enough."""
    found = []
    for data in photos:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        for word in reader.read(data).words:
            xs, ys = zip(*word.polygon, strict=True)
            box = (max(0, int(min(xs))), max(0, int(min(ys))), int(max(xs)) + 1, int(max(ys)) + 1)
            stream = io.BytesIO()
            image.crop(box).save(stream, "PNG")
            found.append(stream.getvalue())
    return (found * (count // max(1, len(found)) + 1))[:count]


def in_clients(url: str, clients: int, path: str, bodies: Sequence[bytes]) -> float:
    """Seconds for all bodies by so many clients."""
    everyone = [Client(url) for _ in range(clients)]

    def work(number: int) -> None:
        for body in bodies[number::clients]:
            status, answer = everyone[number].post(path, body)
            assert status == 200, answer

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    return time.perf_counter() - start


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def library(reader: Reader, kind: str, bodies: Sequence[bytes]) -> None:
    """What a loop does."""
    for data in bodies:
        if kind == "read":
            reader.read(data)
        else:
            reader.read_crops([data])


def cpu(process: subprocess.Popen[str]) -> float:
    """Seconds of the processor that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy() -> float:
    """Seconds that all processors have worked."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # less idle and waiting for disks


class Clock:
    """Time, the work of the service and of this process, and how much of the processors others took meanwhile."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._start = self._now()

    def _now(self) -> tuple[float, ...]:
        return time.perf_counter(), cpu(self._process), time.process_time(), busy()

    def read(self) -> tuple[float, float, float, float]:
        """Seconds, of the service, of this process; others' share of what all processors can do."""
        seconds, service, mine, all_of_them = (b - a for a, b in zip(self._start, self._now(), strict=True))
        others = max(0.0, all_of_them - service - mine) / seconds / (os.cpu_count() or 1)
        return seconds, service, mine, others


def throughput(
    reader: Reader, process: Any, url: str, clients: int, rounds: int, bodies: dict[str, list[bytes]], most: float
) -> Any:
    """Of the service by that of a loop of the library, in turns. Rounds in which others were busy are repeated."""
    out: dict[str, Any] = {}
    for kind, data in bodies.items():
        kept: list[tuple[float, float, float]] = []
        disturbed = 0
        while len(kept) < rounds and disturbed < 10 * rounds:
            clock = Clock(process)
            library(reader, kind, data)
            theirs, _, their_work, others = clock.read()
            clock = Clock(process)
            in_clients(url, clients, f"/v1/{kind}", data)
            ours, our_work, of_clients, more = clock.read()
            if max(others, more) > most:
                disturbed += 1
                continue
            kept.append((theirs / ours, (our_work + of_clients) / their_work, len(data) / ours))
        out[kind] = {
            "service by library": round(statistics.median(ratio for ratio, _, _ in kept), 3) if kept else None,
            "rounds": [round(ratio, 3) for ratio, _, _ in kept],
            "work with clients, by library": round(statistics.mean(work for _, work, _ in kept), 3) if kept else None,
            "a second": round(statistics.median(rate for _, _, rate in kept), 1) if kept else None,
            "rounds thrown away": disturbed,
        }
    return out


def alone(reader: Reader, url: str, rounds: int, bodies: dict[str, list[bytes]]) -> Any:
    """Median time of one client by the library's, in turns."""
    one, out = Client(url), {}
    for kind, data in bodies.items():
        pairs = []
        for each in data * rounds:
            ours = timed(partial(one.post, f"/v1/{kind}", each))
            pairs.append((ours, timed(partial(library, reader, kind, [each]))))
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        out[kind] = {"service": round(ours, 4), "library": round(theirs, 4), "ratio": round(ours / theirs, 3)}
    return out


def same(reader: Reader, url: str, photos: list[bytes], clients: int, each: int) -> Any:
    """Whether every client gets the library's JSON for every photo."""
    wanted = [reader.read(data, name="image").to_dict() for data in photos]

    def work(client: int) -> int:
        line, good = Client(url), 0
        for turn in range(each):
            number = (client + turn) % len(photos)
            status, answer = line.post("/v1/read", photos[number])
            good += status == 200 and json.loads(answer) == wanted[number]
        return good

    with ThreadPoolExecutor(clients) as pool:
        return {"clients": clients, "photos each": each, "equal": sum(pool.map(work, range(clients)))}


def rubbish(photos: list[bytes]) -> list[tuple[str, bytes]]:
    """Requests that must be answered 4xx."""
    large = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(large, "PNG")
    return [
        ("/v1/read", photos[0][: len(photos[0]) // 2]),
        ("/v1/read", large.getvalue()),
        ("/v1/read", b""),
        ("/v1/read", b"%PDF-1.7 and so on"),
        ("/v1/crops", bytes(30_000_000)),
        ("/v1/read?pattern=(a|b)*a(a|b){40}", photos[0]),
        ("/v1/read?boxes=" + str([[0, 0, 1e4, 1e4]] * 500).replace(" ", ""), photos[0]),
    ]


PROBE = """
import http.client, json, sys, time
line = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=60)
waits = []
print("begun", flush=True)
sys.stdin = open(0, "rb", buffering=0)
import os
os.set_blocking(0, False)
while sys.stdin.read(1) is None:
    start = time.perf_counter()
    line.request("GET", "/health/live")
    assert line.getresponse().read() == b'{"status":"alive"}'
    waits.append(time.perf_counter() - start)
    time.sleep(0.02)
print(json.dumps(waits))
"""


@contextmanager
def liveness(url: str) -> Iterator[dict[str, float]]:
    """How long /health/live takes meanwhile, asked by a process of its own: threads of this one wait for each other."""
    address, out = urlsplit(url), dict[str, float]()
    command = [sys.executable, "-c", PROBE, str(address.hostname), str(address.port)]
    prober = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert prober.stdout is not None
    prober.stdout.readline()
    yield out
    waits = sorted(json.loads(prober.communicate("e")[0]))
    out |= {"median": waits[len(waits) // 2], "0.999": waits[int(len(waits) * 0.999)], "longest": waits[-1]}
    out |= {"asked": len(waits), "over 0.2": sum(wait > 0.2 for wait in waits)}


def attacked(reader: Reader, url: str, photos: list[bytes], clients: int, turns: int) -> Any:
    """Rubbish from half of the clients, photos from the others, thirty slow lines: answers, and liveness."""
    bad, wanted = rubbish(photos), [reader.read(data, name="image").to_dict() for data in photos]
    statuses: Counter[int] = Counter()
    slow = []
    for _ in range(30):
        line = http.client.HTTPConnection(urlsplit(url).hostname or "", urlsplit(url).port)
        line.putrequest("POST", "/v1/read")
        line.putheader("Content-Length", "100000")
        line.endheaders(photos[0][:1000])
        slow.append(line)

    def work(client: int) -> int:
        line, good = Client(url), 0
        for turn in range(turns):
            if client % 2:
                path, body = bad[(client + turn) % len(bad)]
                statuses[line.post(path, body)[0]] += 1
            else:
                number = (client + turn) % len(photos)
                good += json.loads(line.post("/v1/read", photos[number])[1]) == wanted[number]
        return good

    with liveness(url) as waits, ThreadPoolExecutor(clients) as pool:
        good = sum(pool.map(work, range(clients)))
    return {
        "statuses of rubbish": dict(sorted(statuses.items())),
        "photos among it": (clients + 1) // 2 * turns,
        "of them equal": good,
        "liveness, seconds": waits,
    }


def growth(process: subprocess.Popen[str], url: str, photos: list[bytes], crops: list[bytes], count: int) -> Any:
    """Resident memory after a hundred photos and 900 crops, and after all `count` of them."""

    def resident() -> int:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return pages * 4096 // 1_000_000

    held = []
    for done in range(0, count, 100):
        in_clients(url, 8, "/v1/read", [photos[i % len(photos)] for i in range(done, done + 100)])
        in_clients(url, 8, "/v1/crops", [crops[i % len(crops)] for i in range(900)])
        held.append(resident())
    return {"MB after each hundred photos and 900 crops": held, "growth": round(held[-1] / held[0] - 1, 4)}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crops", type=int, default=96)
    parser.add_argument(
        "--others", type=float, default=0.1, help="share of the processors; rounds with more are repeated"
    )
    parser.add_argument("--same", type=int, default=10, help="photos of each of 16 clients")
    parser.add_argument("--attack", type=int, default=14, help="requests of each client in the mix")
    parser.add_argument("--grow", type=int, default=0, help="photos for the growth of memory, in hundreds")
    options = parser.parse_args()
    photos = [path.read_bytes() for path in options.photos]
    reader = Reader(options.model)
    crops = crops_of(reader, photos, options.crops)
    process, url = start(options.model)
    out: dict[str, Any] = {}
    try:
        if options.rounds:
            bodies = {"read": photos, "crops": crops}
            out["throughput"] = throughput(
                reader, process, url, options.clients, options.rounds, bodies, options.others
            )
            few = {"read": photos, "crops": crops[:32]}
            out["one client, median seconds"] = alone(reader, url, options.rounds, few)
        if options.same:
            out["same"] = same(reader, url, photos, 16, options.same)
        if options.attack:
            out["attacked"] = attacked(reader, url, photos, options.clients, options.attack)
        if options.grow:
            out["memory"] = growth(process, url, photos, crops, options.grow)
    finally:
        process.terminate()
        out["status at the end"] = process.wait(60)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
