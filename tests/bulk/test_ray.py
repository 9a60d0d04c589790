"""The Ray engine on clusters of its own: the same rows, also where workers and nodes are killed."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_spec import PlainSpec, pictures

from wordsight.bulk import SCHEMA, run

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")]

HERE = Path(__file__).parent
RAY = str(Path(sys.executable).with_name("ray"))
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
SHARDS, SIZE = 12, 25
SCRIPT = """
import sys, time
import ray
from plain_spec import PlainSpec
from wordsight.bulk import run
from wordsight.errors import WordsightError
if __name__ == "__main__":
    source, out, seconds, model = sys.argv[1:]
    ray.init(log_to_driver=False)
    while ray.cluster_resources().get("CPU", 0) < 2:  # the second node joins
        time.sleep(0.1)
    spec = PlainSpec(model, seconds=float(seconds))
    try:
        print(run(source, out, spec, engine="ray", shard_size=25))
    except WordsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


def descendants(pid: int) -> set[int]:
    found, new = set(), {pid}
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in new} - found
    return found


def named(processes: set[int], word: str) -> list[int]:
    out = []
    for pid in processes:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if word in command:
            out.append(pid)
    return out


class Cluster:
    """Nodes of one processor each, started with `ray start`. Ends what it started and nothing else."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ws", dir="/tmp")  # short: sockets have their names in it
        self.nodes: list[subprocess.Popen[bytes]] = []
        self._all: set[int] = set()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self.start("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self.folder}")

    def start(self, *options: str) -> None:
        command = [RAY, "start", "--block", "--num-cpus=1", "--object-store-memory=100000000", *options]
        log = (Path(self.folder) / f"start-{len(self.nodes)}.log").open("w+")
        node = subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True)
        self.nodes.append(node)
        end = time.monotonic() + 600
        while not self.raylet(node):
            assert node.poll() is None, Path(log.name).read_text()
            assert time.monotonic() < end
            time.sleep(0.2)

    def raylet(self, node: "subprocess.Popen[bytes]") -> list[int]:
        self._all |= (mine := descendants(node.pid))
        return named(mine, "raylet/raylet")

    def end(self) -> None:
        for node in self.nodes:
            self._all |= descendants(node.pid)
        for pid in self._all:
            try:
                if b"ray" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        for node in self.nodes:
            node.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start(f"--address={cluster.address}")
        yield cluster
    finally:
        cluster.end()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = pictures(tmp_path / "photos", SHARDS * SIZE - 5)
    (source / "00003.jpg").write_bytes(b"broken")
    (source / "00130.jpg").write_bytes(b"deadly")
    return source


def table(out: Path) -> pa.Table:
    return pq.read_table(out, schema=SCHEMA).sort_by("uri").drop_columns("milliseconds")


def start(script: Path, cluster: Cluster, *args: object) -> "subprocess.Popen[str]":
    script.write_text(SCRIPT)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, script, *map(str, args)],
        env={**ENVIRONMENT, "RAY_ADDRESS": cluster.address},
        stdout=pipe,
        stderr=pipe,
        text=True,
    )


def parts(out: Path) -> int:
    return len(list(out.glob("part-*.parquet")))


def wait_for(done: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + 400
    while not done():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def makers(cluster: Cluster) -> list[int]:
    """The actors that make parts."""
    return [pid for node in cluster.nodes for pid in named(descendants(node.pid), "ray::MapWorker")]


def test_local_ray_and_indexed_shards_give_equal_tables(tmp_path: Path, source: Path, cluster: Cluster) -> None:
    process = start(tmp_path / "script.py", cluster, source, tmp_path / "ray", 0, "latin")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "total=295, done=295, failed=2, read=295" in out
    run(source, tmp_path / "local", PlainSpec(), workers=2, shard_size=SIZE)
    for index in range(3):
        run(source, tmp_path / "indexed", PlainSpec(), workers=1, shard_size=SIZE, shard=(index, 3))
    wanted = table(tmp_path / "local")
    assert wanted.num_rows == 295
    for name in ("ray", "indexed"):
        assert table(tmp_path / name).equals(wanted)
        assert sorted(p.name for p in (tmp_path / name).iterdir()) == sorted(
            p.name for p in (tmp_path / "local").iterdir()
        )


@pytest.mark.parametrize("victim", ["worker", "node", "driver"])
def test_kills_lose_nothing(tmp_path: Path, source: Path, cluster: Cluster, victim: str) -> None:
    out = tmp_path / "ray"
    process = start(tmp_path / "script.py", cluster, source, out, 0.1, "latin")
    wait_for(lambda: parts(out) >= 2 and len(makers(cluster)) == 2, process)
    assert parts(out) < SHARDS - 2
    if victim == "worker":
        os.kill(makers(cluster)[0], signal.SIGKILL)
    elif victim == "node":
        (raylet,) = cluster.raylet(cluster.nodes[1])
        os.kill(raylet, signal.SIGKILL)
    else:
        process.kill()
        process.wait()
        process = start(tmp_path / "script.py", cluster, source, out, 0, "latin")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    run(source, tmp_path / "local", PlainSpec(), workers=2, shard_size=SIZE)
    rows = table(out)
    assert rows.equals(table(tmp_path / "local"))
    assert len(set(rows.column("uri").to_pylist())) == rows.num_rows == 295


def test_what_stops_a_worker_is_one_line(tmp_path: Path, source: Path, cluster: Cluster) -> None:
    out = tmp_path / "ray"
    process = start(tmp_path / "script.py", cluster, source, out, 0.02, "latin")
    wait_for(lambda: parts(out) >= 1, process)
    shutil.rmtree(out)
    out.write_text("a file now")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith(("DataError: ", "ConfigError: ")), err
    assert "Traceback" not in err
