"""Fine-tuning a recognizer that takes pictures of any width."""

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from test_any_width import CONFIG

from wordsight.models import checkpoint
from wordsight.models.charset import with_charset
from wordsight.models.ppocr import Svtr
from wordsight.synth.lines import RenderedLines
from wordsight.text import Charset
from wordsight.train import finetune
from wordsight.train.finetune import run_finetuning
from wordsight.train.finetune_plan import Settings, plan_finetuning

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    torch.manual_seed(0)
    return checkpoint.save(Svtr(CONFIG), tmp_path_factory.mktemp("start"), licence="of the start")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    texts = [f"{i} kΩ" if i % 2 else f"word {i}" for i in range(20)]
    for i, text in enumerate(texts):
        picture = Image.new("RGB", (150, 40), "white")
        ImageDraw.Draw(picture).text((8, 4), text, font=ImageFont.load_default(24), fill="black")
        picture.save(folder / f"{i}.png")
    (folder / "labels.tsv").write_text("".join(f"{i}.png\t{t}\n" for i, t in enumerate(texts)), encoding="utf-8")
    return folder


@pytest.fixture
def fonts(tmp_path, monkeypatch):
    """A folder with Pillow's own font alone, for which lines are drawn in all faces."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        finetune, "RenderedLines", lambda **given: RenderedLines(**given, held_out=None, shares={"words": 1.0})
    )
    own = ImageFont.load_default(20)
    own.path.seek(0)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "own.ttf").write_bytes(own.path.read())
    return tmp_path / "fonts"


def test_a_new_character_changes_no_reading():
    model = Svtr(CONFIG).eval()
    grown = with_charset(model, Charset("grown", CONFIG.charset.characters + "Ω"))
    images = torch.rand(2, 3, 48, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        old, new = (each.decode(each.encode(images)) for each in (model, grown))
    torch.testing.assert_close(new[..., :-1], old)
    torch.testing.assert_close(new[..., -1], old[..., 1:].mean(-1))


@pytest.mark.parametrize(("tower", "stands"), [("frozen", True), ("full", False)])
def test_words_and_lines_are_learnt_together(start, words, fonts, tmp_path, tower, stands):
    plan = plan_finetuning(start, words, Settings(tower, steps=2, batch_size=4, fonts=(fonts,)), words)
    assert (plan.new, plan.tower) == ("Ω", tower)
    outcome = run_finetuning(plan, tmp_path / "out")
    assert outcome.steps == 2
    model, about = checkpoint.load(tmp_path / "out")
    assert isinstance(model, Svtr)
    assert model.cfg.charset.characters == CONFIG.charset.characters + "Ω"
    assert about["licence"] == "of the start"
    before, after = plan.model.state_dict(), model.state_dict()
    convolutions = [name for name in before if name.startswith("image_encoder.")]
    assert all(torch.equal(before[name], after[name]) for name in convolutions) is stands
    assert not torch.equal(before["head.weight"], after["head.weight"])


def test_few_words_leave_the_convolutions_alone(start, words):
    assert plan_finetuning(start, words, Settings(), words).tower == "frozen"
