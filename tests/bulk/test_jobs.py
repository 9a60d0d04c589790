"""Jobs from their start to their end: what is in the parts, what goes on, what is refused."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFont
from plain_spec import PlainSpec, pictures

from wordsight import Reader
from wordsight.bulk import SCHEMA, Progress, ReaderSpec, read_batch, run
from wordsight.errors import ConfigError, DataError, ModelError, WordsightError

HERE = Path(__file__).parent


def table(out: object) -> pa.Table:
    return pq.read_table(str(out), schema=SCHEMA).sort_by("uri")


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


def test_rows_are_what_the_reader_reads(tmp_path: Path, toy_pack: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for k, text in enumerate(("WEST 4", "bakery", "")):
        photo = Image.new("RGB", (240, 90), "white")
        ImageDraw.Draw(photo).text((15, 20), text, "black", ImageFont.load_default(40))
        photo.save(photos / f"{k}.png")
    (photos / "broken.png").write_bytes((photos / "0.png").read_bytes()[:100])
    spec = ReaderSpec(toy_pack, min_confidence=0)
    out = tmp_path / "words"
    assert run(photos, out, spec, workers=2, shard_size=3) == Progress(4, 4, 1, 4, pytest.approx(0, abs=100))
    assert names(out) == ["_manifest.json", "part-00000.parquet", "part-00001.parquet"]
    *read, broken = table(out).to_pylist()

    reader = Reader(toy_pack, threads=1, min_confidence=0)
    for row, path in zip(read, sorted(photos.glob("[0-9]*")), strict=True):
        photo = reader.read(path)
        words = [word for line in photo.to_dict()["lines"] for word in line["words"]]
        assert row.pop("milliseconds") > 0
        assert row == {
            "uri": str(path),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "width": 240,
            "height": 90,
            "text": photo.text,
            "words": [{key: word[key] for key in ("text", "confidence", "polygon")} for word in words],
            "error": None,
        }
    assert [len(row["words"]) > 0 for row in read] == [True, True, False]
    assert str(photos / "broken.png") in broken["error"]
    assert (broken["text"], broken["width"], broken["words"]) == (None, None, [])

    manifest = json.loads((out / "_manifest.json").read_text())
    assert manifest["model"] == "toy"
    assert manifest["sha256"] == hashlib.sha256((toy_pack / "pack.json").read_bytes()).hexdigest()
    assert manifest["options"]["min_confidence"] == 0

    uris = pa.array([row["uri"] for row in read])
    fetched = read_batch(pa.record_batch({"uri": uris}), spec)
    given = read_batch(pa.record_batch({"uri": uris, "bytes": [Path(u.as_py()).read_bytes() for u in uris]}), spec)
    rows = table(out).slice(0, 3).drop_columns("milliseconds")
    for batch in (fetched, given):
        assert batch.schema == SCHEMA
        assert pa.Table.from_batches([batch]).drop_columns("milliseconds").equals(rows)


def test_a_batch_without_uris_is_one_line() -> None:
    with pytest.raises(ConfigError, match="name the column of pictures uri"):
        read_batch(pa.record_batch({"path": ["a.jpg"]}))


def test_rows_without_uris_carry_an_error_and_the_others_are_read(tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", 1) / "00000.jpg"
    batch = pa.record_batch({"uri": [None, str(source), None], "bytes": [None, None, b"given"]})
    rows = read_batch(batch, PlainSpec()).to_pylist()
    assert [row["uri"] for row in rows] == ["", str(source), ""]
    assert [row["text"] for row in rows] == [None, "word 0", None]
    assert rows[0]["error"] == rows[2]["error"] == "this row has no uri: give a path or URL"
    (row,) = read_batch(pa.record_batch({"uri": [7]}), PlainSpec()).to_pylist()
    assert row["error"] == "this row has a uri of type int: give a path or URL"
    empty = pa.record_batch({"uri": pa.array([None, None], pa.null())})
    assert [row["error"] is None for row in read_batch(empty, PlainSpec()).to_pylist()] == [False, False]


def test_a_finished_job_reads_nothing(tmp_path: Path) -> None:
    source, out = pictures(tmp_path / "photos", 25), tmp_path / "words"
    seen: list[Progress] = []
    run(source, out, PlainSpec(), workers=2, shard_size=10, watch=seen.append)
    assert [progress.done for progress in seen] == list(range(26))  # from the start
    assert seen[-1].seconds_left == 0
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run(source, out, PlainSpec(), workers=3, shard_size=10, watch=seen.append).read == 0
    assert len(seen) == 27
    assert (seen[-1].total, seen[-1].done, seen[-1].read) == (25, 25, 0)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_what_is_missing_or_damaged_is_made_again(tmp_path: Path) -> None:
    source, out = pictures(tmp_path / "photos", 45), tmp_path / "words"
    run(source, out, PlainSpec(), workers=2, shard_size=10)
    before = table(out).drop_columns("milliseconds")
    (out / "part-00001.parquet").unlink()
    part = out / "part-00003.parquet"
    part.write_bytes(part.read_bytes()[:-10])
    (out / "part-00000.parquet").write_bytes((out / "part-00004.parquet").read_bytes())  # of another size
    (out / ".part-00001.parquet.12345678.tmp").write_bytes(b"what a killed process left")
    assert run(source, out, PlainSpec(), workers=2, shard_size=10).read == 30
    assert table(out).drop_columns("milliseconds").equals(before)
    assert names(out) == ["_manifest.json", *(f"part-{k:05}.parquet" for k in range(5))]


def test_another_configuration_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = pictures(tmp_path / "photos", 3), tmp_path / "words"
    run(source, out, PlainSpec(), workers=1)
    run(source, out, PlainSpec(threads=2, device="auto", batch_size=1), workers=1)  # these read the same
    (tmp_path / "fewer").mkdir()
    (tmp_path / "fewer" / "1.jpg").write_bytes(b"word")
    for what, again in (
        ("options", lambda: run(source, out, PlainSpec(pattern="[A-Z]+"))),
        ("options", lambda: run(source, out, PlainSpec(lexicon=["one", "two"]))),
        ("sha256", lambda: run(source, out, PlainSpec("small"))),
        ("shard_size", lambda: run(source, out, PlainSpec(), shard_size=2)),
        ("pictures 3, not 1", lambda: run(tmp_path / "fewer", out, PlainSpec())),
    ):
        with pytest.raises(ConfigError, match=rf"words is of another job \(.*{what}") as caught:
            again()
        assert "\n" not in str(caught.value)
    (source / "00003.jpg").write_bytes(b"a new one")
    with pytest.raises(ConfigError, match="pictures 3, not 4"):
        run(source, out, PlainSpec())
    monkeypatch.setattr("wordsight.spec.__version__", "99.0")
    with pytest.raises(ConfigError, match=r'version "0.*not "99\.0"'):
        run(source, out, PlainSpec())


def test_a_folder_with_parts_of_unknown_origin_is_refused(tmp_path: Path) -> None:
    source, out = pictures(tmp_path / "photos", 3), tmp_path / "words"
    run(source, out, PlainSpec(), workers=1)
    (out / "_manifest.json").write_text("[")
    with pytest.raises(ConfigError, match="cannot be read"):
        run(source, out, PlainSpec(), workers=1)
    (out / "_manifest.json").unlink()
    with pytest.raises(ConfigError, match="has parts and no _manifest"):
        run(source, out, PlainSpec(), workers=1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shard_size": 0}, "shard_size"),
        ({"workers": 0}, "workers"),
        ({"shard": (3, 3)}, "shard"),
        ({"shard": (0, 0)}, "shard"),
        ({"engine": "spark"}, "engine"),
    ],
)
def test_senseless_options(tmp_path: Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run(pictures(tmp_path / "photos", 1), tmp_path / "words", PlainSpec(), **options)
    assert not (tmp_path / "words").exists()


def test_nothing_is_made_for_a_job_that_cannot_begin(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        run(tmp_path / "nowhere", tmp_path / "words", PlainSpec())
    with pytest.raises(ModelError, match="no model is called"):
        run(pictures(tmp_path / "photos", 1), tmp_path / "words", ReaderSpec("unknown"))
    assert not (tmp_path / "words").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be created"):
        run(tmp_path / "photos", tmp_path / "file" / "words", PlainSpec())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"pattern": "["}, r"pattern '\['"),
        ({"pattern": "((a{0,99}){0,99}){0,99}"}, "too expensive"),
        ({"allow": "\N{SNOWMAN}"}, "can write none"),
        ({"lexicon": ["\N{SNOWMAN}"]}, "list of words"),
        ({"allow": "a", "pattern": "b"}, "exclude each other"),
        ({"mode": "loud"}, "mode"),
        ({"min_confidence": 2.0}, "min_confidence"),
        ({"dictionary": "klingon"}, "klingon"),
        ({"detector": "no-such-detector"}, "no-such-detector"),
        ({"max_side": 1}, "max_side"),
    ],
)
def test_a_mistake_in_the_options_does_not_claim_the_folder(
    tmp_path: Path, toy_pack: Path, wrong: dict[str, Any], says: str
) -> None:
    source, out = tmp_path / "photos", tmp_path / "words"
    source.mkdir()
    Image.new("RGB", (40, 30), "white").save(source / "a.png")
    with pytest.raises(WordsightError, match=says) as caught:
        run(source, out, ReaderSpec(toy_pack, **wrong), workers=1)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    if "pattern" in wrong:
        assert run(source, out, ReaderSpec(toy_pack, pattern="[a-z]+"), workers=1).failed == 0


def test_what_is_wrong_with_all_pictures_ends_the_job(tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", 5)
    (source / "00002.jpg").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no detector is there"):
        run(source, tmp_path / "words", PlainSpec(), workers=2)
    assert names(tmp_path / "words") == ["_manifest.json"]


def test_failures_are_rows_and_are_read_again_when_asked_for(tmp_path: Path) -> None:
    source, out = pictures(tmp_path / "photos", 12), tmp_path / "words"
    (source / "00001.jpg").write_bytes(b"broken")
    (source / "00002.jpg").write_bytes(b"\xff")
    (source / "00007.jpg").write_bytes(b"deadly")
    (source / "00011.jpg").unlink()
    (source / "00011.jpg").symlink_to("gone")
    progress = run(source, out, PlainSpec(), workers=2, shard_size=5)
    assert (progress.total, progress.done, progress.failed) == (12, 12, 4)
    errors = {Path(row["uri"]).stem: row["error"] for row in table(out).to_pylist() if row["error"]}
    assert errors == {
        "00001": f"{source}/00001.jpg is broken: save it again",
        "00002": f"{source}/00002.jpg: unexpected UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position "
        "0: invalid start byte",
        "00007": f"{source}/00007.jpg: 3 processes died while reading it (signal 9)",
        "00011": f"{source}/00011.jpg does not exist: check the path",
    }

    assert run(source, out, PlainSpec(), workers=2, shard_size=5).failed == 4
    for name in ("00001", "00007"):
        (source / f"{name}.jpg").write_bytes(b"mended")
    whole = (out / "part-00002.parquet").stat().st_mtime_ns
    progress = run(source, out, PlainSpec(), workers=2, shard_size=5, retry_failed=True)
    assert (progress.done, progress.failed, progress.read) == (12, 2, 4)
    rows = table(out).to_pylist()
    assert [row["text"] for row in rows[:3]] == ["word 0", "mended", None]
    assert rows[7]["text"] == "mended"
    assert whole != (out / "part-00002.parquet").stat().st_mtime_ns
    assert run(source, out, PlainSpec(), workers=2, shard_size=5, retry_failed=True).read == 2


def test_shares_of_machines_that_know_nothing_of_each_other_make_the_same_parts(tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", 33)
    run(source, tmp_path / "one", PlainSpec(), workers=2, shard_size=5)
    for index in (2, 0, 1):
        progress = run(source, tmp_path / "three", PlainSpec(), workers=1, shard_size=5, shard=(index, 3))
        assert progress.done == progress.total == (13, 10, 10)[index]
    assert names(tmp_path / "one") == names(tmp_path / "three")
    for path in (tmp_path / "one").glob("*.parquet"):
        parts = [
            pq.read_table(folder / path.name).drop_columns("milliseconds")
            for folder in (path.parent, tmp_path / "three")
        ]
        assert parts[0].equals(parts[1])
    assert (tmp_path / "one/_manifest.json").read_bytes() == (tmp_path / "three/_manifest.json").read_bytes()


def test_folders_at_urls(tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", 12)
    out = f"memory://{tmp_path.name}/words"
    run(source, out, PlainSpec(), workers=1, shard_size=5)
    files = fsspec.filesystem("memory")
    assert sorted(Path(name).name for name in files.ls(out, detail=False)) == [
        "_manifest.json",
        *(f"part-{k:05}.parquet" for k in range(3)),
    ]
    assert run(source, out, PlainSpec(), workers=1, shard_size=5).read == 0
    files.rm(f"{out}/part-00001.parquet")
    assert run(source, out, PlainSpec(), workers=1, shard_size=5).read == 5
    with files.open(f"{out}/part-00002.parquet") as file:
        assert pq.read_table(file).column("text").to_pylist() == ["word 10", "word 11"]


def test_a_part_that_cannot_be_written_ends_the_job_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = pictures(tmp_path / "photos", 20), tmp_path / "words"
    real = os.fsync
    calls = []

    def full(number: int) -> None:
        calls.append(number)
        if len(calls) > 2:
            raise OSError(28, "No space left on device")
        real(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"part-\d+.parquet cannot be written \(No space left on device\)") as caught:
        run(source, out, PlainSpec(), workers=2, shard_size=5)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert len(names(out)) == 2  # the manifest and one part, nothing half written
    assert run(source, out, PlainSpec(), workers=2, shard_size=5).read == 15
    assert table(out).num_rows == 20


SCRIPT = """
import sys
from plain_spec import PlainSpec
from wordsight.bulk import run
if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], PlainSpec(seconds=0.01), workers=2, shard_size=20)
"""


def test_killed_again_and_again_it_loses_and_repeats_nothing(tmp_path: Path) -> None:
    source, out = pictures(tmp_path / "photos", 400), tmp_path / "words"
    (source / "00100.jpg").write_bytes(b"broken")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(source), str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    kills = 0
    for wanted in (1, 9):
        process = subprocess.Popen(command, env=environment)
        while len(list(out.glob("part-*.parquet"))) < wanted and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        parts = list(out.glob("part-*.parquet"))
        assert all(pq.read_metadata(part).num_rows == 20 for part in parts)
    assert kills == 2
    subprocess.run(command, env=environment, check=True)
    run(source, tmp_path / "at once", PlainSpec(), workers=2, shard_size=20)
    rows, wanted_rows = (table(folder).drop_columns("milliseconds") for folder in (out, tmp_path / "at once"))
    assert rows.equals(wanted_rows)
    assert len(set(rows.column("uri").to_pylist())) == rows.num_rows == 400
    assert names(out) == names(tmp_path / "at once")


def test_spec_offers_the_options_of_reader() -> None:
    import inspect
    from dataclasses import fields

    options = {name: value.default for name, value in inspect.signature(Reader).parameters.items()}
    mine = {field.name: field.default for field in fields(ReaderSpec)}
    assert mine == options | {"device": "cpu", "threads": 1}


def test_spec_can_be_pickled_and_hashed() -> None:
    import pickle

    spec = ReaderSpec(lexicon=iter(["one", "two"]), dictionary=["three"])
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert len({spec, ReaderSpec(lexicon=("one", "two"), dictionary=("three",))}) == 1


def test_progress_knows_rate_and_time_left() -> None:
    progress = Progress(100, 40, 2, read=30, seconds=15)
    assert (progress.rate, progress.seconds_left) == (2, 30)
    assert Progress(100, 40, 2).seconds_left is None
