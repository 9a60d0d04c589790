"""Fine-tuning: a new character is learned, old ones are kept, and both are measured."""

import copy
import json
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from toy_words import LETTERS, NEW, ToyWords, picture, toy_model, trained_model, write_words

from wordsight.errors import ConfigError, DataError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.peft import PeftConfig, add_peft, load_adapter, merge_peft
from wordsight.text import Charset
from wordsight.train import finetune
from wordsight.train.batches import Batches
from wordsight.train.finetune import blend, run_finetuning
from wordsight.train.finetune_plan import Settings, grown_charset, plan_finetuning
from wordsight.weights.starts import checkpoint_folder


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint.save(trained_model(200), tmp_path_factory.mktemp("start"), cross=True, steps=200)


@pytest.fixture(scope="module")
def general(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ToyWords(LETTERS, seed=5)
    return write_words(tmp_path_factory.mktemp("data") / "general", [words.text(i) for i in range(100)])


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's words: short ones of the new character and three of the six letters."""
    words = ToyWords("abc" + NEW, seed=6)
    return write_words(tmp_path_factory.mktemp("data") / "mine", [words.text(i) for i in range(150)])


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replay draws toy words too, and nothing changes the colours, by which these letters are told apart."""
    monkeypatch.setattr(finetune, "ReplayWords", lambda *_, **_settings: ToyWords(LETTERS + NEW, seed=7))
    monkeypatch.setattr(finetune, "Batches", partial(Batches, augmentation=lambda image, _rng: image))


def accuracies(outcome) -> dict[str, float]:
    return {score.dataset: score.accuracy for score in outcome.report.scores}


@pytest.mark.parametrize(
    "tower", [pytest.param("frozen", marks=pytest.mark.slow), "lora", pytest.param("full", marks=pytest.mark.slow)]
)
def test_a_new_character_is_learnt_and_the_old_ones_are_kept(start, general, mine, tmp_path, toy, tower):
    plan = plan_finetuning(start, mine, Settings(tower, steps=60, lr=3e-3, blend=0.8), general)
    assert plan.new == NEW
    assert (len(plan.training), len(plan.held_out)) == (120, 30)
    outcome = run_finetuning(plan, tmp_path)
    found = accuracies(outcome)
    assert found["held-out with new characters before"] == 0.0
    assert found["held-out with new characters after"] >= 0.5
    assert found["general before"] >= 0.9
    assert found["general after"] >= found["general before"] - 0.1
    assert outcome.gained > outcome.lost
    again, about = checkpoint.load(tmp_path)
    assert again.cfg.charset.characters == LETTERS + NEW
    assert about["steps"] == 200  # what the start says of itself stays
    assert about["finetuned"] == {"start": start.name, "words": 120, "new": NEW, "tower": tower, "steps": 60}
    images = torch.randn(2, 3, 8, 32)
    torch.testing.assert_close(again.encode(images), outcome.model.encode(images))
    assert (tmp_path / "adapter").exists() == (tower == "lora")
    tower_stands = torch.equal(plan.model.image_tower.norm_post.weight, again.image_tower.norm_post.weight)
    assert tower_stands == (tower != "full")


@pytest.mark.slow
def test_a_real_model_learns_a_currency_sign(tmp_path, monkeypatch):
    """On a shipped recognizer, with rendered prices; about ten minutes on one core."""
    from PIL import Image

    from wordsight.synth.replay import ReplayWords

    source = ReplayWords(grown_charset(Charset.preset("94+space"), [NEW]), NEW, ["€12.50", "3,99 €", "MENU"], seed=11)
    if NEW in source.undrawable:
        pytest.skip("no font of this system draws the euro sign")
    folder = tmp_path / "prices"
    folder.mkdir()
    numbers = [i for i in range(1000) if source.text(i)][:300]
    for i in numbers:
        Image.fromarray(source[i].image).save(folder / f"{i}.png")
    (folder / "labels.tsv").write_text("".join(f"{i}.png\t{source.text(i)}\n" for i in numbers), encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plan = plan_finetuning(checkpoint_folder("small"), folder, Settings())
    found = accuracies(run_finetuning(plan, tmp_path / "out"))
    assert found["held-out with new characters before"] == 0.0
    assert found["held-out with new characters after"] >= 0.3
    assert found["general after"] >= found["general before"] - 0.05


def test_the_adapter_alone_gives_the_same_on_the_start(start, mine, general, tmp_path, toy):
    outcome = run_finetuning(plan_finetuning(start, mine, Settings("lora", steps=3), general), tmp_path)
    adapted = load_adapter(checkpoint.load(start)[0], tmp_path / "adapter")
    images = torch.randn(2, 3, 8, 32)
    torch.testing.assert_close(adapted.encode(images), outcome.model.encode(images), rtol=0, atol=1e-5)
    assert torch.equal(adapted.visual_decoder.head.weight, outcome.model.visual_decoder.head.weight)
    captions = torch.tensor([[8, 7, 1, 0]])
    torch.testing.assert_close(adapted.text_tower(captions), outcome.model.text_tower(captions), rtol=0, atol=1e-5)


def test_blending_keeps_new_rows_and_scales_the_rest():
    start = toy_model()
    start.eval()
    tuned = copy.deepcopy(start)
    add_peft(tuned, PeftConfig("lora", rank=2))
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter += torch.ones_like(parameter)
    learned = copy.deepcopy(tuned)
    blend(tuned, start, 1.0)
    for name, tensor in learned.state_dict().items():
        torch.testing.assert_close(tuned.state_dict()[name], tensor)
    blend(tuned, start, 0.25, new="c")
    merge_peft(tuned)
    merge_peft(learned)
    old, full, found = start.state_dict(), learned.state_dict(), tuned.state_dict()
    for name in old:
        expected = old[name] + 0.25 * (full[name] - old[name])
        if "head." in name or name.endswith("embedding.weight"):
            expected[3] = full[name][3]  # [E], a, b, then c
        torch.testing.assert_close(found[name], expected, rtol=0, atol=1e-5)


def test_interrupted_training_keeps_what_it_has(start, mine, general, tmp_path, toy):
    def watch(items, total, label):
        for number, item in enumerate(items):
            if label == "training" and number == 3:
                signal.raise_signal(signal.SIGINT)
            yield item

    before = signal.getsignal(signal.SIGINT)
    outcome = run_finetuning(plan_finetuning(start, mine, Settings(steps=50), general), tmp_path, watch)
    assert 2 <= outcome.steps <= 5
    assert checkpoint.load(tmp_path)[1]["finetuned"]["steps"] == outcome.steps
    assert len(outcome.report.scores) == 6
    assert signal.getsignal(signal.SIGINT) is before


def test_training_comes_before_what_it_is_measured_on(start, mine, general, tmp_path, toy):
    """Rendering and reading the general set takes minutes on a busy machine: training does not wait for it."""
    labels = []

    def watch(items, total, label):
        labels.append((label, total))
        return iter(items)

    run_finetuning(plan_finetuning(start, mine, Settings("frozen", steps=1), general), tmp_path, watch)
    names = [label for label, _ in labels]
    assert "training" in names[: names.index("general words")]
    after = labels[names.index("general words") :]
    assert [label for label, _ in after] == [
        "general words", "held-out before", "general before", "held-out after", "general after",
    ]  # fmt: skip
    assert set(names[: names.index("general words")]) <= {"looking at words", "looking at fonts", "training"}
    assert dict(after)["general words"] == 100


def test_the_size_of_the_data_decides_what_trains(start, mine, general, tmp_path):
    assert plan_finetuning(start, mine, Settings(), general).tower == "lora"
    words = ToyWords("ab", seed=1)
    few = write_words(tmp_path / "few", [words.text(i) for i in range(40)])
    plan = plan_finetuning(start, few, Settings(), general)
    assert plan.tower == "frozen"
    assert plan.new == ""
    assert plan.model.cfg.charset == Charset("toy", LETTERS)


def test_what_is_wrong_with_the_words_is_said(start, general, tmp_path):
    texts = ["abc", *[ToyWords(LETTERS, seed=2).text(i) for i in range(20)], "abc", "e" * 2 + NEW]
    folder = write_words(tmp_path / "odd", texts)
    (folder / "5.png").write_bytes(b"no picture")
    labels = (folder / "labels.tsv").read_text(encoding="utf-8")
    (folder / "labels.tsv").write_text(labels.replace("6.png\t", "6.png\t" + "ab" * 9, 1), encoding="utf-8")
    plan = plan_finetuning(start, folder, Settings(valid_share=0.2), general)
    assert plan.left_out == {"too long": 1, "unreadable": 1}
    said = "\n".join(plan.remarks)
    assert "'€' occurs in 0 training words" in said
    assert "only held-out words have '€'" in said
    assert "1 held-out pictures are in the training part too" in said


def test_characters_are_found_in_labels():
    known = Charset("abc", "abc")
    assert grown_charset(known, ["ab", "c"]) is known
    assert grown_charset(known, ["a€\tb", "e\u0301"]).characters == "abc é€"


def test_mistakes_are_one_line(start, mine, general, tmp_path):
    with pytest.raises(DataError, match=r"3 usable words \(none left out\): at least 10"):
        plan_finetuning(start, write_words(tmp_path / "three", ["ab", "cd", "ef"]), Settings(), general)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        plan_finetuning(start, mine, Settings(replay_share=1.0), general)
    with pytest.raises(ModelError, match="not a checkpoint folder"):
        plan_finetuning(mine, mine, Settings(), general)


def test_reports_hold_readings_of_both_sets(start, mine, general, tmp_path, toy):
    from wordsight.evaluate.report import to_dict

    outcome = run_finetuning(plan_finetuning(start, mine, Settings("frozen", steps=1), general), tmp_path)
    report = json.loads(json.dumps(to_dict(outcome.report)))
    assert len(report["readings"]) == 30 + 100
    assert {r["dataset"] for r in report["readings"][:30]} == {"held-out after"}
    assert isinstance(outcome.model, Clip4Str)
    assert picture(report["readings"][0]["label"]).shape == (8, 32, 3)
