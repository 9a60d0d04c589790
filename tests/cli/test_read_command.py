"""`wordsight read` with cards instead of a model: inputs, formats, exit statuses."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from typer.testing import CliRunner
from word_cards import Board, CardReader, card

from wordsight import Photo, Reader
from wordsight.cli.main import app
from wordsight.errors import DeviceError

TEXTS = ["EXIT", "Cafe", "24h", "=1+1", "<b>&", "OPEN"]
BOX = [[40, 40], [120, 40], [120, 70], [40, 70]]


@pytest.fixture
def board() -> Board:
    board = Board(CardReader(TEXTS))
    board.put("EXIT", 40, 40)
    board.put("Cafe", 300, 40)
    return board


@pytest.fixture
def made(board: Board, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The options of the readers that commands make. They read cards."""
    readers: list[dict[str, object]] = []

    def make(model: str, device: str, threads: int | None, **options: object) -> Reader:
        if device == "cuda":
            raise DeviceError("cuda is not here: use cpu")
        readers.append({"model": model, "device": device, "threads": threads, **options})
        for name in (
            "mode",
            "allow",
            "pattern",
            "lexicon",
            "dictionary",
            "tta",
            "detector",
            "max_side",
        ):  # how the recognizer is made; here it is made already
            del options[name]
        return Reader.of(board.reader, board, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("wordsight.reader.Reader", make)
    return readers


def run(*args: object, stdin: bytes | None = None):
    return CliRunner().invoke(app, ["read", *map(str, args)], input=stdin)


def save(pixels, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photo(board: Board, tmp_path: Path, made: object) -> Path:
    return save(board.image, tmp_path / "wall.png")


def test_text_of_one_photo_and_the_provider_on_stderr(photo: Path, made: list[dict[str, object]]) -> None:
    result = run(photo)
    assert result.stdout == "EXIT\nCafe\n"
    assert result.stderr == "wordsight: reading with latin on CardExecutionProvider\n"
    assert result.exit_code == 0
    assert made == [
        {
            "model": "latin",
            "device": "auto",
            "threads": None,
            "max_pixels": 100_000_000,
            "min_confidence": None,
            "batch_size": 32,
            "mode": "adaptive",
            "allow": None,
            "pattern": None,
            "lexicon": None,
            "dictionary": "english",
            "tta": False,
            "detector": "lines",
            "max_side": None,
        }
    ]


def test_the_old_name_of_tta_says_the_new_one(photo: Path) -> None:
    refused = run(photo, "--thorough")
    assert (refused.exit_code, "--thorough is now --tta" in refused.output) == (2, True)


def test_options_reach_the_reader(photo: Path, made: list[dict[str, object]]) -> None:
    args = ["--model", "m", "--device", "cpu", "--threads", 1, "--max-pixels", 500000, "--min-confidence", 0.2]
    assert run(photo, *args, "--batch-size", 5, "--mode", "visual", "--no-dictionary", "--tta").exit_code == 0
    assert made == [
        {
            "model": "m",
            "device": "cpu",
            "threads": 1,
            "max_pixels": 500000,
            "min_confidence": 0.2,
            "batch_size": 5,
            "mode": "visual",
            "allow": None,
            "pattern": None,
            "lexicon": None,
            "dictionary": None,
            "tta": True,
            "detector": "lines",
            "max_side": None,
        }
    ]


def test_a_detector_and_its_side_reach_the_reader(photo: Path, made: list[dict[str, object]]) -> None:
    assert run(photo).exit_code == 0
    assert made[-1]["detector"] == "lines"
    assert run(photo, "--detector", "packs/mine").exit_code == 0
    assert made[-1]["detector"] == "packs/mine"
    assert run(photo, "--max-side", 640, "--threads", 1).exit_code == 0
    assert made[-1]["max_side"] == 640


def test_several_photos_are_named_and_keep_their_order(photo: Path, board: Board) -> None:
    other = save(board.image, photo.with_name("b.png"))
    result = run(photo, other)
    assert result.stdout == f"==> {photo} <==\nEXIT\nCafe\n\n==> {other} <==\nEXIT\nCafe\n"


def test_names_take_one_line_whatever_is_in_them(photo: Path, board: Board) -> None:
    odd = save(board.image, photo.with_name("a\nb\tc ñ.png"))
    shown = str(odd).replace("\n", r"\n").replace("\t", r"\t")
    assert run(odd, photo).stdout.startswith(f"==> {shown} <==\nEXIT\n")
    assert run("--crops", odd, photo).stdout.startswith(f"{shown}\t")
    odd.write_bytes(b"")
    assert run(odd).stderr.count("\n") == 2
    assert f"{shown} is empty" in run(odd).stderr


def test_folders_are_searched_and_other_files_in_them_left_alone(photo: Path, board: Board) -> None:
    folder = photo.parent
    save(board.image, folder / "sub" / "a.JPG")
    (folder / "notes.txt").write_text("no picture")
    result = run(folder, "--format", "jsonl")
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [
        str(folder / "wall.png"),
        str(folder / "sub" / "a.JPG"),
    ]
    assert result.exit_code == 0


def test_globs_that_the_shell_left_are_expanded(photo: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    save(board.image, photo.parent / "sub" / "deep" / "c.png")
    monkeypatch.chdir(photo.parent)
    assert "==> wall.png <==" in run("*.png", "sub/**/*.png").stdout
    assert "==> sub/deep/c.png <==" in run("*.png", "sub/**/*.png").stdout
    (photo.parent / "odd[1].png").write_bytes(photo.read_bytes())
    assert run("odd[1].png").stdout == "EXIT\nCafe\n"


def test_standard_input(photo: Path) -> None:
    result = run("-", "--format", "jsonl", stdin=photo.read_bytes())
    assert result.exit_code == 0
    assert json.loads(result.stdout)["source"] == "<stdin>"
    for data in (b"", b"no picture at all"):
        for more in ([], ["--crops"]):
            result = run("-", *more, stdin=data)
            assert result.exit_code == 1
            assert result.stdout == ""
            assert "<stdin>" in result.stderr.splitlines()[-1]


def test_bad_files_among_good_ones_are_one_line_each(photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 not much of a JPEG")
    absent = tmp_path / "absent.jpg"
    result = run(broken, photo, absent, "--format", "jsonl")
    assert result.exit_code == 1
    assert Photo.from_json(result.stdout).text == "EXIT\nCafe"
    _, *errors = result.stderr.splitlines()
    assert [str(broken) in errors[0], str(absent) in errors[1], len(errors)] == [True, True, 2]


@pytest.mark.parametrize("crops", [False, True])
def test_only_bad_files_still_make_a_whole_document(tmp_path: Path, made: object, crops: bool) -> None:
    result = run(tmp_path / "absent.jpg", "--format", "json", *["--crops"] * crops)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == []


def test_nothing_to_read_is_a_usage_error(tmp_path: Path, made: list[object]) -> None:
    for args in ([tmp_path], ["*.no-such"], [tmp_path, "x*.y"]):
        result = run(*args)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
    assert run().exit_code == 2
    assert made == []


def test_empty_folder_beside_a_photo_is_reported(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run(photo, tmp_path / "empty")
    assert result.exit_code == 1
    assert result.stdout == "EXIT\nCafe\n"
    assert "holds no pictures" in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["--format", "xml"],
        ["--device", "tpu"],
        ["--batch-size", "0"],
        ["--threads", "0"],
        ["--min-confidence", "2"],
        ["--max-pixels", "many"],
        ["--device", "cuda"],
        ["--boxes", "absent.json"],
        ["--crops", "--boxes", "boxes.json"],
        ["--no-such-option"],
        ["-", "-"],
    ],
)
def test_senseless_commands_are_usage_errors(photo: Path, args: list[str]) -> None:
    result = run(photo, *args)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_unknown_model_is_a_usage_error(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = run(photo, "--model", "no-such-model")
    assert result.exit_code == 2
    assert "no-such-model" in result.stderr
    assert result.stderr.count("\n") == 1


def test_crops(board: Board, tmp_path: Path, made: object) -> None:
    paths = [save(card(board.reader, text, 90, 30), tmp_path / f"{k}.png") for k, text in enumerate(["24h", "OPEN"])]
    (tmp_path / "9.png").write_bytes(b"")
    assert run("--crops", paths[0]).stdout == "24h\n"
    result = run("--crops", tmp_path, "--batch-size", 2)
    assert result.stdout == f"{paths[0]}\t24h\n{paths[1]}\tOPEN\n"
    assert result.exit_code == 1
    (line,) = run("--crops", paths[1], "--format", "jsonl").stdout.splitlines()
    photo = Photo.from_json(line)
    assert (photo.width, photo.height, photo.words[0].text) == (90, 30, "OPEN")
    assert run("--crops", *paths, "--min-confidence", 0.99).stdout == f"{paths[0]}\t\n{paths[1]}\t\n"


def test_boxes_by_name_for_every_picture_and_missing(photo: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({photo.name: [BOX]}))
    assert run(photo, "--boxes", boxes).stdout == "EXIT\n"
    boxes.write_text(json.dumps({"elsewhere/wall.jpg": [BOX]}))  # by its name without suffix
    assert run(photo, "--boxes", boxes).stdout == "EXIT\n"
    boxes.write_text(json.dumps([BOX]))
    assert run(photo, "--boxes", boxes).stdout == "EXIT\n"
    cafe = [[300, 40], [380, 40], [380, 70], [300, 70]]
    boxes.write_text(json.dumps({"x/wall.png": [BOX], f"{photo.parent.name}/wall.png": [cafe]}))
    assert run(photo, "--boxes", boxes).stdout == "Cafe\n"
    for given, reason in (
        ({"else.png": [BOX]}, "has no boxes"),
        ({"x/wall.png": [BOX], "y/wall.png": [BOX]}, "several"),
    ):
        boxes.write_text(json.dumps(given))
        result = run(photo, "--boxes", boxes)
        assert (result.exit_code, result.stdout) == (1, "")
        assert reason in result.stderr


def test_no_boxes_means_that_nothing_is_read(photo: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    for given in (
        json.dumps({photo.name: []}),
        json.dumps({photo.name: [], "else.png": [BOX]}),
        json.dumps({"image": photo.name, "words": []}),
        "[]",
        "{}",
        "",
    ):
        boxes.write_text(given)
        result = run(photo, "--boxes", boxes)
        assert (result.exit_code, result.stdout.strip()) == (0, ""), given
        assert f"{photo}: no text found" in result.stderr, given


def test_one_bad_box_is_reported_and_the_others_read(photo: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.txt"
    boxes.write_text("9000,9000,9100,9000,9100,9050,9000,9050\n40,40,120,40,120,70,40,70,EXIT\n")
    result = run(photo, "--boxes", boxes)
    assert (result.exit_code, result.stdout) == (1, "EXIT\n")
    assert f"wordsight: {photo}: box 1: " in result.stderr


def test_results_can_be_read_again_as_boxes(photo: Path, tmp_path: Path) -> None:
    for suffix in ("json", "jsonl", "csv", "tsv"):
        out = tmp_path / f"boxes.{suffix}"
        assert run(photo, "--format", suffix, "--out", out).exit_code == 0
        assert run(photo, "--boxes", out).stdout == "EXIT\nCafe\n", suffix


def test_out_is_written_whole_or_not_at_all(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "results" / "out.csv"
    out.parent.mkdir()
    result = run(photo, "--format", "csv", "--out", out)
    assert (result.exit_code, result.stdout) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["text"] for row in rows] == ["EXIT", "Cafe"]
    assert [path.name for path in out.parent.iterdir()] == ["out.csv"]

    before = out.read_text()
    monkeypatch.setattr("wordsight.results.Photo.to_json", lambda self: 1 / 0)
    assert isinstance(run(photo, "--format", "json", "--out", out).exception, ZeroDivisionError)
    assert out.read_text() == before
    part = out.with_name("out.csv.part")
    assert part.read_text() == "[\n"  # what was written until then
    assert run(photo, "--format", "csv", "--out", out).exit_code == 0
    assert out.read_text() == before
    assert not part.exists()

    result = run(photo, "--out", tmp_path / "no" / "such" / "folder.txt")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("words.jsonl", '{"schema"'),
        ("words.ndjson", '{"schema"'),
        ("words.JSON", "["),
        ("words.csv", "source,"),
        ("words.tsv", "source\t"),
        ("words.hocr", "<?xml"),
        ("words.alto.xml", "<?xml"),
        ("words.page.xml", "<?xml"),
        ("words.md", "#"),
        ("words.html", "<!DOCTYPE html>"),
        ("words.htm", "<!DOCTYPE html>"),
        ("words.txt", "EXIT\nCafe\n"),
        ("words.json.bak", "EXIT\nCafe\n"),
        ("words", "EXIT\nCafe\n"),
    ],
)
def test_the_ending_of_out_says_the_format(photo: Path, tmp_path: Path, name: str, begins: str) -> None:
    out = tmp_path / name
    assert run(photo, "--out", out).exit_code == 0
    assert out.read_text().lower().startswith(begins.lower())
    assert run(photo, "--out", out, "--format", "tsv").exit_code == 0  # what is said counts
    assert out.read_text().startswith("source\t")


def test_an_ending_of_two_formats_is_asked_about(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "words.xml"
    result = run(photo, "--out", out)
    assert result.exit_code == 2
    assert "words.alto.xml or words.page.xml, or give --format" in result.stderr
    assert not out.exists()
    assert run(photo, "--out", out, "--format", "alto").exit_code == 0
    result = run(photo, photo, "--out", tmp_path / "words.alto.xml")
    assert result.exit_code == 2
    assert "one document for each picture: give --out FOLDER and --format alto" in result.stderr


def test_all_formats_hold_difficult_texts(board: Board, photo: Path) -> None:
    board.put("=1+1", 40, 140)
    board.put("<b>&", 40, 240)
    save(board.image, photo)
    both = [photo, photo]
    assert [json.loads(line)["lines"][1]["text"] for line in run(*both, "--format", "jsonl").stdout.splitlines()] == [
        "Cafe"
    ] * 2
    assert [photo["lines"][2]["text"] for photo in json.loads(run(*both, "--format", "json").stdout)] == ["=1+1"] * 2
    rows = list(csv.DictReader(io.StringIO(run(*both, "--format", "csv").stdout)))
    assert [row["text"] for row in rows] == ["EXIT", "Cafe", "'=1+1", "<b>&"] * 2
    table = [line.split("\t") for line in run(*both, "--format", "tsv").stdout.splitlines()]
    assert [row[3] for row in table] == ["text", *["EXIT", "Cafe", "=1+1", "<b>&"] * 2]
    page = ElementTree.fromstring(run(*both, "--format", "hocr").stdout)
    words = [span for span in page.iter("{http://www.w3.org/1999/xhtml}span") if span.get("class") == "ocrx_word"]
    assert [span.text for span in words] == ["EXIT", "Cafe", "=1+1", "<b>&"] * 2
    assert len({span.get("id") for span in words}) == 8


def test_draw(photo: Path, tmp_path: Path, board: Board) -> None:
    save(board.image, photo.parent / "in" / "sub" / "x.png")
    save(board.image, photo.parent / "in" / "sub" / "x.bmp")
    out = tmp_path / "drawn"
    assert run(photo.parent / "in", photo, "--draw", out).exit_code == 0
    drawn = sorted(str(path.relative_to(out)) for path in out.rglob("*.jpg"))
    assert drawn == ["sub/x.words-2.jpg", "sub/x.words.jpg", "wall.words.jpg"]
    with Image.open(out / "wall.words.jpg") as image:
        assert image.size == (640, 480)
        assert image.convert("RGB").getpixel((200, 300)) == pytest.approx((235, 235, 235), abs=6)
        assert max(image.convert("L").crop((38, 38, 122, 42)).getextrema()) > 0
    (tmp_path / "file").write_text("")
    result = run(photo, "--draw", tmp_path / "file")
    assert result.exit_code == 1
    assert result.stdout == "EXIT\nCafe\n"
    assert "cannot be written" in result.stderr


def test_file_names_that_are_no_text_are_printed(photo: Path) -> None:
    strange = photo.with_name("caf\udce9.png")
    try:
        photo.rename(strange)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    result = run(strange, "--format", "jsonl")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["source"].endswith("caf\ufffd.png")


def test_constraints_reach_the_reader(made, tmp_path: Path, board: Board):
    photo = save(board.image, tmp_path / "photo.png")
    (tmp_path / "words.txt").write_text("exit\ncafe\n", encoding="utf-8-sig")
    assert run(photo, "--lexicon", tmp_path / "words.txt").exit_code == 0
    assert made[-1]["lexicon"] == ("exit", "cafe")
    assert run(photo, "--pattern", r"\d+").exit_code == 0
    assert (made[-1]["pattern"], made[-1]["lexicon"]) == (r"\d+", None)
    assert run(photo, "--dictionary", tmp_path / "words.txt").exit_code == 0
    assert made[-1]["dictionary"] == ("exit", "cafe")
    assert run(photo, "--dictionary", tmp_path / "words.txt", "--no-dictionary").exit_code == 2
    missing = run(photo, "--lexicon", tmp_path / "none.txt")
    assert missing.exit_code == 2
    assert "list of words" in missing.output
