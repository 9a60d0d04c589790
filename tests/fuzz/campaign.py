"""Damaged and hostile inputs by the thousand: each is read, or refused in one line, and soon.

    python tests/fuzz/campaign.py --seconds 60 --seed 1
    python tests/fuzz/campaign.py --only packs --seed 1 --first 4711 --count 1   # one input again

Input number n of a kind is a function of (seed, kind, n). What counts as broken: an error that is not of the library or
not one printable line, text on standard output, a process that dies, an input that takes longer than ten seconds of
processor time.
"""

import argparse
import atexit
import contextlib
import io
import json
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path += [str(HERE), *(str(HERE.parent / room) for room in ("runtime", "train", "imaging", "serve"))]

LIMIT = 10.0  # seconds of processor time for an input
PATIENCE = 120.0  # seconds without a sign of life, after which a process is given up
READ, REFUSED, BROKEN = range(3)

EXTREMES = (b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff" * 8, b"9" * 12, b"-1", b"nan", b"1e999", b"\x1b[2J")
ODD = (
    *(None, True, -1, 0, 1, -0.5, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf")),
    *("", "a", "../x", "psm", "\x1b[31m", "\ud800", "é" * 300, [], {}, [[]] * 50, [1, 2, 3, 4], {"image": "x"}),
)

Case = Callable[[np.random.Generator], Any]
Kind = Callable[[Path], Case]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One to six of: bytes changed, lost, doubled, cut off, swapped for others of this file or for extreme numbers."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 7)):
        size = len(out)
        if size < 2:
            break
        at = int(rng.integers(size if rng.random() < 0.7 else min(size, 128)))
        span = int(rng.integers(1, 1 + min(size - at, 64)))
        match rng.integers(7):
            case 0:
                out[at] = rng.integers(256)
            case 1:
                out[at] ^= 1 << int(rng.integers(8))
            case 2:
                del out[at : at + span]
            case 3:
                out[at:at] = out[at : at + span] * int(rng.integers(1, 9))
            case 4:
                del out[at:]
            case 5:
                other = int(rng.integers(size))
                out[at : at + span] = out[other : other + span]
            case _:
                out[at : at + span] = EXTREMES[rng.integers(len(EXTREMES))]
    return bytes(out)


def changed(value: Any, rng: np.random.Generator) -> Any:
    """JSON with one value somewhere in it replaced, left out or wrapped."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = list(value)[rng.integers(len(value))]
        out = dict(value)
        if rng.random() < 0.1:
            del out[key]
        else:
            out[key] = changed(value[key], rng)
        return out
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = int(rng.integers(len(value)))
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return ODD[rng.integers(len(ODD))]


def pictures(_: Path) -> Case:
    from test_mutated_files import originals

    from wordsight.imaging import load_image

    files = originals()
    return lambda rng: load_image(mutated(files[rng.integers(len(files))], rng), max_pixels=4_000_000)


def photos(_: Path) -> Case:
    """Pictures of texts, blocks, lines and noise in odd sizes, through detection and reading, or with boxes."""
    from PIL import Image, ImageDraw, ImageFont

    from wordsight import Reader

    reader = Reader(threads=1)

    def case(rng: np.random.Generator) -> Any:
        height, width = (int(rng.choice([1, 2, 3, 15, 40, 90, 200, 300, 900], p=[*[0.12] * 8, 0.04])) for _ in range(2))
        pixels = np.full((height, width, 3), rng.integers(256), np.uint8)
        if rng.random() < 0.2:
            pixels = rng.integers(0, 256, pixels.shape, np.uint8)
        for _ in range(rng.integers(12)):
            y, x = rng.integers(height), rng.integers(width)
            pixels[y : y + rng.integers(1, 30), x : x + rng.integers(1, 30)] = rng.integers(256, size=3)
        image = Image.fromarray(pixels)
        for _ in range(rng.integers(4)):
            text = bytes(rng.integers(32, 127, rng.integers(1, 30), np.uint8)).decode()
            font = ImageFont.load_default(int(rng.integers(6, 60)))
            place = int(rng.integers(-20, width)), int(rng.integers(-20, height))
            ImageDraw.Draw(image).text(place, text, tuple(rng.integers(256, size=3).tolist()), font)
        given = None
        if rng.random() < 0.2:  # somebody's own boxes, of all sizes, bent ones too
            given = [_box(rng, max(height, width)) for _ in range(rng.integers(1, 6))]
        photo = reader.read(np.asarray(image), given)
        assert all(0 <= word.confidence <= 1 for word in photo.words)
        assert np.isfinite([point for word in photo.words for point in word.polygon]).all()

    return case


def _box(rng: np.random.Generator, size: int) -> Any:
    """Four points or more, mostly around a place in the picture, seldom numbers at all."""
    points = rng.normal(rng.uniform(0, size, 2), size * rng.choice([0.01, 0.1, 1, 100]), (rng.integers(3, 9), 2))
    if rng.random() < 0.7:  # upright
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    if rng.random() < 0.1:
        points[0, 0] = rng.choice([np.nan, np.inf, -1e308, 1e9])
    return points


def boxes(folder: Path) -> Case:
    from wordsight.detect import read_boxes

    seeds = [
        b"10,20,50,21,49,45,9,44,Genaxis Theatre\n1,2,3,4\n",
        b'a.jpg\t1 2 3 4 5 6 7 8\n"b, c.jpg",1;2;3;4\n',
        b"source,line,word,left,top,right,bottom\n,1,1,5,6,7,8\n",
        b"image;polygon\nx.png;1,2 3,2 3,4 1,4\n",
        b'[[[0, 0], [9, 0], [9, 5], [0, 5]], [1, 2, 3, 4], {"box": [1, 2, 3, 4]}]',
        b'{"image": "a.png", "words": [{"polygon": [[0, 0], [9, 0], [9, 5], [0, 5]], "text": "x"}]}\n',
    ]
    file = folder / "boxes"

    def case(rng: np.random.Generator) -> Any:
        data = mutated(seeds[rng.integers(len(seeds))], rng)
        file.write_bytes(data * int(rng.choice([1, 1, 1, 50, 5000])))
        return read_boxes(file)

    return case


def patterns(_: Path) -> Case:
    from wordsight.text import Charset, CharTokenizer, Constraint

    tokenizer = CharTokenizer(Charset.preset("94+space"))
    parts = [
        *"ab.*+?(|)[]{}^$\\",
        "{2,}",
        "{16}",
        "{999}",
        "(?:",
        "(?=",
        "(?!",
        "[^a]",
        r"\d",
        r"\w",
        "(a|b)*",
        ".*",
        "{1,",
    ]

    def case(rng: np.random.Generator) -> Any:
        return Constraint.pattern("".join(rng.choice(parts, rng.integers(1, 25))), tokenizer)

    return case


def packs(folder: Path) -> Case:
    """Manifests and graphs, with hashes that fit; what can be opened reads a crop."""
    from plain_pack import write_pack

    from wordsight import Reader
    from wordsight.runtime.pack import sha256

    good = write_pack(folder / "good")
    crop = np.random.default_rng(0).integers(0, 256, (20, 60, 3), dtype=np.uint8)
    graphs = sorted(path.name for path in good.glob("*.onnx"))

    def case(rng: np.random.Generator) -> Any:
        bad = folder / "bad"
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(good, bad)
        manifest = json.loads((bad / "pack.json").read_text())
        if rng.random() < 0.6:
            name = graphs[rng.integers(len(graphs))]
            (bad / name).write_bytes(mutated((bad / name).read_bytes(), rng))
            manifest["files"][name] = sha256(bad / name)
        else:
            manifest = changed(manifest, rng)
        text = json.dumps(manifest)
        (bad / "pack.json").write_bytes(mutated(text.encode(), rng) if rng.random() < 0.1 else text.encode())
        (word,) = Reader(bad, "cpu", 1).read_crops([crop])
        assert 0 <= word.confidence <= 1
        assert word.text.isprintable()

    return case


def checkpoints(folder: Path) -> Case:
    import torch
    from small_runs import tiny_config

    from wordsight.models import checkpoint
    from wordsight.models.clip4str import Clip4Str

    torch.set_num_threads(1)
    good = checkpoint.save(Clip4Str(tiny_config()), folder / "good")
    weights, config = (good / "model.safetensors").read_bytes(), json.loads((good / "config.json").read_text())
    bad = folder / "bad"
    bad.mkdir()

    def case(rng: np.random.Generator) -> Any:
        damaged = rng.random() < 0.5
        head = int.from_bytes(weights[:8], "little") + 8
        data = mutated(weights[:head], rng) + weights[head:] if damaged else weights
        (bad / "model.safetensors").write_bytes(data)
        (bad / "config.json").write_text(json.dumps(config if damaged else changed(config, rng)))
        return checkpoint.load(bad)

    return case


def shards(folder: Path) -> Case:
    from PIL import Image

    from wordsight.data import read_scenes
    from wordsight.data.shards import ShardStream, pack_scenes

    lines = []
    for number in range(3):
        Image.new("RGB", (30, 20), (number, 9, 200)).save(folder / f"{number}.png")
        words = [{"polygon": [[1, 1], [9, 1], [9, 6], [1, 6]], "text": f"word{number}"}]
        lines.append(json.dumps({"image": f"{number}.png", "words": words}))
    (folder / "scenes.jsonl").write_text("\n".join(lines))
    list(pack_scenes(read_scenes(folder), folder / "good", below=[folder]))
    names = ("000000.tar", "shards.json", "scenes.jsonl")
    good = {name: (folder / "good" / name).read_bytes() for name in names}
    bad = folder / "bad"
    bad.mkdir()

    def case(rng: np.random.Generator) -> Any:
        damaged = names[rng.integers(3)]
        for name in names:
            (bad / name).write_bytes(mutated(good[name], rng) if name == damaged else good[name])
        for scene in ShardStream(bad, rounds=1) if damaged != "scenes.jsonl" else read_scenes(bad):
            scene.load()

    return case


def recipes(folder: Path) -> Case:
    from wordsight.train.run import arguments

    good = (HERE.parents[1] / "recipes" / "latin.yaml").read_bytes() + b"base: other.yaml\nx: &x [1, *x]\n"
    (folder / "other.yaml").write_text("trainer: {max_steps: 1}")
    file = folder / "recipe.yaml"

    def case(rng: np.random.Generator) -> Any:
        file.write_bytes(mutated(good if rng.random() < 0.5 else b"base: recipe.yaml\na: &a [b, *a]\n", rng))
        return arguments(file, [])

    return case


def requests(_: Path) -> Case:
    """Requests to a service that runs, as bytes: it answers in its own words or hangs up, and goes on living."""
    from running_service import crop, picture, start

    from wordsight.errors import WordsightError

    running = start("--max-pixels", "1000000", "--max-megabytes", "1", "--timeout", "20")
    atexit.register(running.process.kill)
    host, port = running.url.removeprefix("http://").split(":")
    photo, word = picture("Hotel"), crop("Hotel")
    form = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.png"\r\n\r\n%s\r\n--x--\r\n'
    multipart = "Content-Type: multipart/form-data; boundary=x\r\n"
    seeds = [
        *(("GET", path, "", b"") for path in ("/", "/docs", "/openapi.json", "/health/live", "/metrics", "/none")),
        ("POST", "/v1/read?format=hocr&min_confidence=0.2", "", photo),
        ("POST", "/v1/read?boxes=[[10,10,90,60]]&pattern=[A-Z]%2B&characters=false", "", photo),
        ("POST", "/v1/read", multipart, form % (b"file", photo)),
        ("POST", "/v1/crops?lexicon=hotel%0Ahostel", multipart, form % (b"files", word)),
        ("POST", "/v1/batch", multipart, form % (b"files", word)),
        ("POST", "/ocr?language=en", multipart, form % (b"file", word)),
    ]

    def case(rng: np.random.Generator) -> Any:
        method, path, header, body = seeds[rng.integers(len(seeds))]
        if rng.random() < 0.5:
            body = mutated(body, rng)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        start = mutated(head.encode(), rng) if rng.random() < 0.6 else head.encode()
        answer = b""
        with contextlib.suppress(ConnectionError), socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(start + body)
            line.shutdown(socket.SHUT_WR)
            while part := line.recv(1 << 16):
                answer += part
        assert running.process.poll() is None, "the service died"
        if not answer:
            raise WordsightError("hung up")
        status = int(answer.split()[1])
        assert status < 500 or status in (503, 504), answer[:2000]
        assert b"Traceback" not in answer
        if status >= 400:
            content = answer.partition(b"\r\n\r\n")[2].decode()
            raise WordsightError(json.loads(content)["error"] if content.startswith("{") else content or str(status))

    return case


KINDS: dict[str, tuple[Kind, float]] = {  # each with its share of the time
    "pictures": (pictures, 0.15),
    "photos": (photos, 0.2),
    "boxes": (boxes, 0.1),
    "patterns": (patterns, 0.1),
    "packs": (packs, 0.15),
    "checkpoints": (checkpoints, 0.1),
    "shards": (shards, 0.075),
    "recipes": (recipes, 0.075),
    "requests": (requests, 0.05),
}


def _outcome(case: Case, rng: np.random.Generator) -> tuple[int, str]:
    """What one input leads to, and what is wrong with that."""
    from wordsight.errors import WordsightError

    began = time.process_time()
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            case(rng)
        outcome, why = READ, ""
    except WordsightError as error:
        text = str(error)
        outcome, why = REFUSED, "" if text.isprintable() and 0 < len(text) < 2000 else f"message {text[:200]!r}"
    except Exception:
        outcome, why = BROKEN, traceback.format_exc(limit=-4)
    if not why and printed.getvalue():
        why = f"it prints {printed.getvalue()[:200]!r}"
    if not why and (seconds := time.process_time() - began) > LIMIT:
        why = f"{seconds:.1f} s"
    return (BROKEN if why else outcome), why


def _work(name: str, seed: int, first: int, last: int, seconds: float, place: Any, found: Any, spent: Any) -> None:
    """Goes through inputs from `first` on for so many seconds, of which some are spent, without what comes before them.

    `place` is the one at hand, `found` how many of each outcome.
    """
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        case = KINDS[name][0](Path(folder))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff speaks of what it finds
        number, before, began = first, spent.value, time.time()
        while number < last and spent.value < seconds:
            place.value = number
            rng = np.random.default_rng([seed, sorted(KINDS).index(name), number])
            outcome, why = _outcome(case, rng)
            found[outcome] += 1
            if why:
                print(f"{name} {number}: {why}", flush=True)
            number += 1
            spent.value = before + time.time() - began


def campaign(
    names: list[str], seed: int, seconds: float, first: int = 0, count: int = 1 << 62
) -> dict[str, tuple[list[int], float]]:
    """Of each kind how many inputs were read, refused and broken, and for how long. A process at a time."""
    context = multiprocessing.get_context("spawn")
    shares = sum(KINDS[name][1] for name in names)
    results = {}
    for name in names:
        place, found, spent = context.Value("q", first - 1), context.Array("q", [0, 0, 0]), context.Value("d", 0.0)
        start, budget = first, seconds * KINDS[name][1] / shares
        while start < first + count and spent.value < budget:
            arguments = (name, seed, start, first + count, budget, place, found, spent)
            worker = context.Process(target=_work, args=arguments)
            worker.start()
            seen, since = place.value, time.time()
            while worker.is_alive() and time.time() - since < PATIENCE:
                worker.join(0.2)
                if place.value != seen or seen < start:  # starting takes what it takes
                    seen, since = place.value, time.time()
            if worker.is_alive():
                worker.kill()
                worker.join()
            if worker.exitcode == 0:
                break
            found[BROKEN] += 1
            spent.value += time.time() - since
            print(f"{name} {place.value}: its process ended with {worker.exitcode}", flush=True)
            if place.value < start:
                raise SystemExit(f"{name} cannot start: look at what its function in this file needs")
            start = place.value + 1
        results[name] = (list(found), spent.value)
    return results


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of all kinds together, without starting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(KINDS), action="append")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1 << 62, help="of inputs of each kind")
    given = parser.parse_args()
    results = campaign(given.only or list(KINDS), given.seed, given.seconds, given.first, given.count)
    print(f"seed {given.seed}")
    print(f"{'kind':12} {'inputs':>9} {'read':>9} {'refused':>9} {'broken':>7} {'seconds':>8}")
    for name, (found, seconds) in results.items():
        read, refused, broken = found
        print(f"{name:12} {sum(found):9} {read:9} {refused:9} {broken:7} {seconds:8.0f}")
    return int(any(found[BROKEN] for found, _ in results.values()))


if __name__ == "__main__":
    sys.exit(main())
