"""README, first hour and training page do what they say: commands and Python run, links lead somewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
README, FIRST_HOUR, TRAINING = "README.md", "docs/first-hour.md", "docs/training.md"
PROGRAMS = Path(sys.executable).parent

SHORT_TRAINING = (
    " --trainer.max_steps=2 --model.optimiser.decay=0 --trainer.val_check_interval=2 --data.batch_size=4 --data.pool=1"
    " --data.workers=0 --trainer.accelerator=cpu"
)
TAILORED = {
    # The same commands with less to do. `make test` is what runs this; test_wheel.py installs for real.
    "make test": "make --dry-run test",
    "pip install .": "pip install --quiet --dry-run --no-index --no-deps --no-build-isolation .",
    "pip install '.[train]'": "pip install --quiet --dry-run --no-index --no-deps --no-build-isolation .",
    "wordsight synth words --count 2000 --out words": "wordsight synth words --count 40 --out words",
    "wordsight synth words --out my-words --count 400 --seed 5": (
        "wordsight synth words --out my-words --count 60 --seed 5"
    ),
    "wordsight synth words --out fresh --count 300 --seed 6": "wordsight synth words --out fresh --count 20 --seed 6",
    "wordsight finetune my-words -o tuned --pack tuned-pack": (
        "wordsight finetune my-words -o tuned --pack tuned-pack --steps 2"
    ),
    "wordsight train recipes/clip4str/small.yaml --data.real='[words]'": (
        "wordsight train recipes/clip4str/small.yaml --data.real='[words]'" + SHORT_TRAINING
    ),
}


@dataclass(frozen=True)
class Block:
    """A block of code, and the heading it stands under."""

    heading: str
    code: str

    @property
    def commands(self) -> list[str]:
        return [line for line in self.code.splitlines() if line.strip() and not line.startswith("#")]


def _blocks(language: str, page: str = README) -> list[Block]:
    heading, out = "", []
    text = (ROOT / page).read_text(encoding="utf-8")
    for title, found, code in re.findall(r"^#+ ([^\n]+)$|^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        heading = title or heading
        if found == language:
            out.append(Block(heading, code))
    return out


def _block(first: str, page: str = README) -> Block:
    """The block of commands that begins with a command."""
    (block,) = [block for block in _blocks("sh", page) if block.commands[0].startswith(first)]
    return block


def _picture(*words: str) -> Image.Image:
    image = Image.new("RGB", (480, 60 + 80 * len(words)), (250, 245, 235))
    pen = ImageDraw.Draw(image)
    for row, word in enumerate(words):
        pen.text((60, 30 + 80 * row), word, (20, 30, 60), ImageFont.load_default(60))
    return image


def _outline(word: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the first word of a picture."""
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left, top, right, bottom = pen.textbbox((60, 30), word, ImageFont.load_default(60))
    return left - 4, top - 4, right + 4, bottom + 4


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the repository in which `make` has installed all: its .venv is the environment of these tests.

    Beside the repository's own files it holds those that the README talks about.
    """
    clone = _copy(tmp_path_factory.mktemp("clone") / "wordsight")
    (clone / ".venv").mkdir()
    (clone / ".venv" / "bin").symlink_to(PROGRAMS)
    for part in ("lib", "pyvenv.cfg"):  # by which its python knows what is installed
        (clone / ".venv" / part).symlink_to(PROGRAMS.parent / part)
    for stamp in (".made", ".base", ".dev"):
        (clone / ".venv" / stamp).touch()
    _picture("OPEN", "HOTEL").save(clone / "photo.jpg", quality=95)
    for name in ("photos", "crops"):
        (clone / name).mkdir()
    for i, word in enumerate(("OPEN", "HOTEL"), 1):
        _picture(word).save(clone / "photos" / f"{i}.jpg")
        _picture(word).crop(_outline(word)).save(clone / "crops" / f"{i}.png")
    (clone / "boxes.json").write_text(json.dumps([_outline("OPEN")]))
    return clone


def _copy(folder: Path) -> Path:
    """The working tree without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("not a git work tree")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def _run(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    environment |= {"PATH": f"{PROGRAMS}{os.pathsep}{environment['PATH']}"} | variables
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done


def _run_all(block: Block, folder: Path) -> list[str]:
    return [_run(TAILORED.get(command, command), folder).stdout for command in block.commands]


def test_every_block_is_run_by_one_of_these_tests() -> None:
    firsts = ["make read", "pip install .", "wordsight read photos"]
    assert [_block(first) for first in firsts] == _blocks("sh")
    assert len(_blocks("python")) == 1
    pages = (README, FIRST_HOUR, TRAINING)
    commands = [command for page in pages for block in _blocks("sh", page) for command in block.commands]
    assert set(TAILORED) <= set(commands), "a tailored command is in none of the pages any more"


def test_the_two_commands(clone: Path) -> None:
    read, test = _run_all(_block("make read"), clone)
    assert read.lower() == "open\nhotel\n"
    assert "pytest" in test


def test_make_read_alone_reads_the_example(clone: Path) -> None:
    assert len(_run("make read", clone).stdout.split()) >= 2


def test_the_plain_commands(clone: Path) -> None:
    assert _run_all(_block("pip install ."), clone)[-1].lower() == "open\nhotel\n"


def test_the_python(clone: Path) -> None:
    (block,) = _blocks("python")
    (clone / "example.py").write_text(block.code + "print([word.text for word in words])\n")
    lines = _run("python example.py", clone).stdout.lower().splitlines()
    assert lines[:2] == ["open", "hotel"]
    assert lines[2].startswith("open 0.") or lines[2].startswith("open 1.")
    assert lines[-1] == "['open', 'hotel']"


def test_what_comes_out(clone: Path) -> None:
    _, hocr, _, csv, boxes, matching, piped = _run_all(_block("wordsight read photos"), clone)
    lines = [json.loads(line) for line in (clone / "words.jsonl").read_text().splitlines()]
    assert [photo["source"] for photo in lines] == ["photos/1.jpg", "photos/2.jpg"]
    assert "ocrx_word" in hocr
    assert list((clone / "drawn").glob("photo*.jpg"))
    assert len(csv.splitlines()) == 3
    assert boxes.lower() == "open\n"
    assert matching == "OPEN\nHOTEL\n"
    assert len(json.loads(piped)[0]["lines"]) == 2


def test_train_your_own(clone: Path) -> None:
    outputs = _run_all(_block("wordsight synth words --count", TRAINING), clone)
    assert "40 samples" in outputs[1]
    assert (clone / "my-pack" / "pack.json").is_file()
    assert (clone / "report.html").is_file()


@pytest.mark.slow
def test_the_first_hour(clone: Path) -> None:
    (python,) = _blocks("python", FIRST_HOUR)
    (clone / "hour.py").write_text(python.code)
    outputs = [output for block in _blocks("sh", FIRST_HOUR) for output in _run_all(block, clone)]
    assert "OPEN" in outputs[1]
    assert (clone / "drawn" / "street.words.jpg").is_file()
    assert "OPEN" in _run("python hour.py", clone).stdout
    assert (clone / "first-word.png").is_file()
    assert (clone / "street.html").is_file()
    assert "tuned-pack less latin" in " ".join(outputs[-2].split())
    assert (clone / "report.html").is_file()
    assert outputs[-1]


@pytest.mark.slow
def test_a_fresh_clone_reads_and_then_starts_at_once(tmp_path: Path) -> None:
    """With nothing installed and pip's cache empty. Needs the network."""
    clone = _copy(tmp_path / "wordsight")
    first = _run("make read", clone, PIP_CACHE_DIR=str(tmp_path / "cache")).stdout
    began = time.monotonic()
    assert _run("make read", clone).stdout == first
    assert time.monotonic() - began < 10
    assert len(first.split()) >= 2


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert not [target for target in targets if not (ROOT / target).exists()]
