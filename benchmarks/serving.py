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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def throughput(
    reader: Reader, process: Any, url: str, clients: int, rounds: int, photos: list[bytes], crops: list[bytes]
) -> Any:
    """Of the service by that of a loop of the library, in turns; and the median time of one client by the library's."""
    ratios: dict[str, list[float]] = {"read": [], "crops": []}
    alone: dict[str, list[tuple[float, float]]] = {"read": [], "crops": []}
    spent: dict[str, list[tuple[float, float]]] = {"read": [], "crops": []}
    for _ in range(rounds):
        for kind, bodies in (("read", photos), ("crops", crops)):
            before = cpu(process), time.process_time()
            theirs = timed(partial(library, reader, kind, bodies))
            between = time.process_time()
            ratios[kind].append(theirs / in_clients(url, clients, f"/v1/{kind}", bodies))
            spent[kind].append((cpu(process) - before[0], between - before[1]))
        one = Client(url)
        for kind, bodies in (("read", photos), ("crops", crops[:32])):
            for data in bodies:
                ours = timed(partial(one.post, f"/v1/{kind}", data))
                alone[kind].append((ours, timed(partial(library, reader, kind, [data]))))
    medians = {kind: [statistics.median(side) for side in zip(*times, strict=True)] for kind, times in alone.items()}
    return {
        "throughput, service by library": {
            kind: {"median": round(statistics.median(each), 3), "rounds": [round(ratio, 3) for ratio in each]}
            for kind, each in ratios.items()
        },
        "processor seconds, service by library": {
            kind: round(sum(ours for ours, _ in each) / sum(theirs for _, theirs in each), 3)
            for kind, each in spent.items()
        },
        "one client, median seconds": {
            kind: {"service": round(ours, 4), "library": round(theirs, 4), "ratio": round(ours / theirs, 3)}
            for kind, (ours, theirs) in medians.items()
        },
    }


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


def attacked(reader: Reader, url: str, photos: list[bytes], clients: int, turns: int) -> Any:
    """Rubbish from half of the clients, photos from the others, thirty slow lines: answers, and liveness."""
    bad, wanted = rubbish(photos), [reader.read(data, name="image").to_dict() for data in photos]
    statuses: Counter[int] = Counter()
    waits: list[float] = []
    done = threading.Event()
    slow = []
    for _ in range(30):
        line = http.client.HTTPConnection(urlsplit(url).hostname or "", urlsplit(url).port)
        line.putrequest("POST", "/v1/read")
        line.putheader("Content-Length", "100000")
        line.endheaders(photos[0][:1000])
        slow.append(line)

    def probe() -> None:
        line = Client(url)
        while not done.wait(0.05):
            waits.append(timed(lambda: line.get("/health/live")))

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

    prober = threading.Thread(target=probe)
    prober.start()
    with ThreadPoolExecutor(clients) as pool:
        good = sum(pool.map(work, range(clients)))
    done.set()
    prober.join()
    return {
        "statuses of rubbish": dict(sorted(statuses.items())),
        "photos among it": (clients + 1) // 2 * turns,
        "of them equal": good,
        "liveness, seconds": {"median": statistics.median(waits), "longest": max(waits), "asked": len(waits)},
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
            out |= throughput(reader, process, url, options.clients, options.rounds, photos, crops)
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
