"""Kills a bulk job at random moments and compares what it leaves in the end with a job that nobody disturbed.

    python benchmarks/bulk_kills.py PHOTOS [--count 2000] [--kills 10] [--side 320] [--engine local]

PHOTOS are repeated under other names until there are `--count`, made smaller to `--side` pixels if that is given. Every
second kill takes the command itself (SIGKILL), the others one of its processes, after which the command has to go on
by itself. Prints what happened as JSON; exit status 1 if the tables are not equal, but for milliseconds, or if a URI
is there twice, or a process is left.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from wordsight.bulk import SCHEMA
from wordsight.suffixes import PICTURES


def repeated(source: Path, folder: Path, count: int, side: int | None) -> None:
    """`count` pictures out of those of `source`, each under a name of its own."""
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in PICTURES)
    folder.mkdir()
    for number, path in enumerate(found[:count]):
        target = folder / f"{number:06}{path.suffix.lower()}"
        if side is None:
            shutil.copyfile(path, target)
        else:
            with Image.open(path) as photo:
                photo.thumbnail((side, side))
                photo.convert("RGB").save(target.with_suffix(".jpg"))
    made = sorted(folder.iterdir())
    for number in range(len(made), count):
        original = made[number % len(made)]
        os.link(original, folder / f"{number:06}{original.suffix}")


def started(photos: Path, out: Path, args: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """The job, in a process of its own."""
    command = [sys.executable, "-m", "wordsight.cli.main", "bulk", str(photos), "--out", str(out)]
    command += ["--engine", args.engine, "--shard-size", str(args.shard_size), "--model", args.model]
    return subprocess.Popen([*command, *(["--workers", str(args.workers)] if args.workers else [])])


def children(pid: int) -> list[int]:
    """Processes that a process has started, where /proc tells."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def still_there(processes: list[int], seconds: float) -> list[int]:
    """Those that have not ended after some time. One that has ended and waits to be reaped has no command line."""
    end = time.monotonic() + seconds
    while processes and time.monotonic() < end:
        time.sleep(0.1)
        lines = {pid: Path(f"/proc/{pid}/cmdline") for pid in processes}
        processes = [pid for pid, line in lines.items() if line.exists() and line.read_bytes()]
    return processes


def table(out: Path) -> pa.Table:
    """What a job has made, but for the times."""
    return pq.read_table(out, schema=SCHEMA).sort_by("uri").drop_columns("milliseconds")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--side", type=int, help="longest side in pixels that pictures are made smaller to")
    parser.add_argument("--shard-size", type=int, default=100)
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--model", default="latin")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    dice = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        photos = home / "photos"
        repeated(args.photos, photos, args.count, args.side)
        begun = time.monotonic()
        if started(photos, home / "at once", args).wait() not in (0, 1):
            return 1
        undisturbed = time.monotonic() - begun

        begun = time.monotonic()
        killed: list[str] = []
        left: list[int] = []
        process = started(photos, home / "killed", args)
        while len(killed) < args.kills and process.poll() is None:
            time.sleep(dice.uniform(0, 1.6 * undisturbed / args.kills))
            workers = children(process.pid)
            if process.poll() is not None:
                break
            if len(killed) % 2 and workers:
                os.kill(dice.choice(workers), signal.SIGKILL)
                killed.append("worker")
                continue
            process.kill()
            process.wait()
            killed.append("command")
            if args.engine == "local":  # Ray's processes end when Ray sees that their driver is gone
                left += still_there(workers, 60)
            process = started(photos, home / "killed", args)
        status = process.wait()
        disturbed = time.monotonic() - begun
        wanted, found = table(home / "at once"), table(home / "killed")
        outs = [home / "at once", home / "killed"]
        uris = found.column("uri").to_pylist()
        result = {
            "photos": args.count,
            "killed": killed,
            "exit status": status,
            "seconds": [round(undisturbed), round(disturbed)],
            "equal": found.equals(wanted),
            "each once": len(set(uris)) == len(uris) == args.count,
            "processes left": len(left),
            "files equal": len({tuple(sorted(path.name for path in out.iterdir())) for out in outs}) == 1,
        }
    print(json.dumps(result, indent=1))
    return 0 if result["equal"] and result["each once"] and result["files equal"] and not left else 1


if __name__ == "__main__":
    sys.exit(main())
