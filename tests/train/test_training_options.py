"""What a recipe may switch on: averages, a teacher, short words first, a time limit, a fused optimiser."""

import csv
import dataclasses
import shutil
import time

import numpy as np
import pytest
import torch
from small_runs import assert_same, largest_change, tiny_config, weights
from torch.utils._python_dispatch import TorchDispatchMode

from wordsight.data import Mixture, Sample
from wordsight.errors import ConfigError, DataError
from wordsight.imaging import Preprocessing
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clip4str.loss import Teacher
from wordsight.text import Charset, CharTokenizer
from wordsight.train import Recognition, letters
from wordsight.train.averages import EVERY
from wordsight.train.batches import Batches, Lengths
from wordsight.train.callbacks import KeepCheckpoint
from wordsight.train.start import starting_model

EMA = ("--model.ema=0.9", "--trainer.val_check_interval=5", "--model.cross_from=13")


def kept(folder):
    return torch.load(folder / "last.ckpt", weights_only=True)


def test_averages_are_what_is_kept_and_validated(train_here, monkeypatch):
    seen, expected = [], {}
    step = Recognition.optimizer_step

    def watched(self, *args, **kwargs):
        step(self, *args, **kwargs)
        seen.append({name: tensor.clone() for name, tensor in self.model.state_dict().items()})

    monkeypatch.setattr(Recognition, "optimizer_step", watched)
    folder = train_here("run", *EMA, "--model.cross_from=0", "--trainer.max_steps=5", "--trainer.val_check_interval=3")
    for name, tensor in seen[0].items():  # the first update is a copy
        expected[name] = tensor
        for n, later in enumerate(seen[1:], start=1):
            stays = min((n + 1) / (n + 10), 0.9**EVERY)
            expected[name] = expected[name] * stays + later[name] * (1 - stays)
    assert_same(weights(folder), expected, atol=1e-6)
    assert largest_change(expected, seen[-1]) > 1e-4
    assert checkpoint.load(folder / "model")[1]["ema"] == 0.9
    assert kept(folder)["global_step"] == 5
    assert_same({k.removeprefix("model."): v for k, v in kept(folder)["current_model_state"].items()}, seen[4])


def test_a_resumed_run_has_the_averages_that_it_would_have_had(train_here):
    through = train_here("through", *EMA, "--trainer.max_steps=25", dropout=0.1)
    train_here("halves", *EMA, "--trainer.max_steps=12", dropout=0.1)
    last = through.parent / "halves" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 12
    halves = train_here("halves", *EMA, "--trainer.max_steps=25", f"--ckpt_path={last}", dropout=0.1)
    assert_same(weights(halves), weights(through))
    plain = train_here("plain", *EMA, "--model.ema=0", "--trainer.max_steps=25", dropout=0.1)
    assert largest_change(weights(plain), weights(through)) > 1e-4
    ours, theirs = kept(through)["current_model_state"], kept(plain)["state_dict"]
    assert_same(ours, theirs)  # averages change nothing about the run itself


def test_a_command_ends_in_time_and_is_gone_on_with(train_here, tmp_path, monkeypatch):
    flags = ("--data.batch_size=2", "--data.total_batch=4", "--trainer.val_check_interval=100")
    through = train_here("through", *flags, "--trainer.max_steps=7", dropout=0.1)
    step, late = Recognition.training_step, []

    def delayed(self, batch, batch_idx):
        if batch.step == 2 and not late:
            late.append(batch.index)
            (keep,) = (one for one in self.trainer.callbacks if isinstance(one, KeepCheckpoint))
            keep.end = time.monotonic()
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Recognition, "training_step", delayed)
    folder = train_here("stopped", *flags, "--trainer.max_steps=7", "--minutes=60", dropout=0.1)
    about = checkpoint.load(folder / "model")[1]
    assert (kept(folder)["global_step"], about["steps"]) == (3, 3)
    assert about["validation_accuracy"] is not None
    train_here("stopped", *flags, "--trainer.max_steps=7", f"--ckpt_path={folder / 'last.ckpt'}", dropout=0.1)
    assert_same(weights(tmp_path / "stopped"), weights(through))


def test_time_is_logged(train_here):
    (metrics,) = train_here("run").rglob("metrics.csv")
    rows = [row for row in csv.DictReader(metrics.open()) if row["train/loss"]]
    assert all(float(row["train/data_wait"]) > 0 for row in rows)
    assert all(float(row["train/step_time"]) > float(row["train/data_wait"]) for row in rows if row["train/step_time"])
    assert [bool(row["train/step_time"]) for row in rows[:2]] == [False, True]  # none has come before the first


# Recombined words


def test_recombined_words_take_their_share(train_here, monkeypatch):
    monkeypatch.setattr(letters, "SURE", -np.inf)  # the model has learned nothing: letters are found anywhere
    seen = []
    step = Recognition.training_step

    def watched(self, batch, batch_idx):
        seen.extend(batch.samples)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Recognition, "training_step", watched)
    flags = ("--data.real_share=0.5", "--data.recombined=0.5", "--trainer.max_steps=20")
    folder = train_here("run", *flags, dropout=0.1)
    share = np.mean([name.startswith("recombined/") for name in seen])
    assert 0.1 < share < 0.4
    assert np.mean([name.startswith("synth/") for name in seen]) > 0.3
    assert checkpoint.load(folder / "model")[1]["data"]["recombined"] == 0.5
    resumed = train_here("again", *flags, f"--ckpt_path={folder / 'last.ckpt'}", "--trainer.max_steps=25", dropout=0.1)
    through = train_here("through", *flags, "--trainer.max_steps=25", dropout=0.1)
    assert_same(weights(resumed), weights(through))  # the same words, from the same letters


def test_recombined_words_need_letters_and_real_words(train_here):
    with pytest.raises(DataError, match="no letters were found"):
        train_here("run", "--data.recombined=0.5")
    for share in ("1", "-0.1"):
        with pytest.raises(ConfigError, match="recombined"):
            train_here("run", f"--data.recombined={share}")


# Pseudo-labels


def test_pseudo_labelled_words_are_trained_on_and_not_validated_on(train_here, words, tmp_path, monkeypatch):
    shutil.copytree(words, tmp_path / "pseudo")
    (tmp_path / "pseudo" / "labels.tsv").write_text("".join(f"{i}.png\tpseudo\n" for i in range(40)))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "labels.tsv").touch()
    trained, validated = [], []
    steps = Recognition.training_step, Recognition.validation_step

    def training_step(self, batch, batch_idx):
        trained.extend(sample.partition("/")[0] for sample in batch.samples)
        return steps[0](self, batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        validated.extend(batch.labels)
        return steps[1](self, batch, batch_idx)

    monkeypatch.setattr(Recognition, "training_step", training_step)
    monkeypatch.setattr(Recognition, "validation_step", validation_step)
    flags = (f"--data.pseudo=[{tmp_path / 'pseudo'},{tmp_path / 'none'}]", "--trainer.max_steps=20")
    folder = train_here("run", *flags)
    assert 0.3 < np.mean([name == "pseudo" for name in trained]) < 0.75
    assert len(set(validated)) > 1
    assert "pseudo" not in validated
    assert checkpoint.load(folder / "model")[1]["data"]["pseudo"] == ["pseudo", "none"]


# A teacher


@pytest.fixture
def models():
    """Two recognizers and a batch."""
    torch.manual_seed(1)
    student, teacher = Clip4Str(tiny_config()), Clip4Str(tiny_config()).eval().requires_grad_(False)
    targets = torch.from_numpy(student.tokenizer.encode(["abc", "", "hello"]))
    return student, teacher, torch.randn(3, 3, 32, 128), targets


def loss(student, images, targets, **more):
    return student.loss(images, targets, torch.Generator().manual_seed(0), **more)


def test_who_teaches_himself_learns_nothing(models):
    student, _, images, targets = models
    alone = loss(student, images, targets)
    taught = loss(student, images, targets, teacher=Teacher(student.eval(), 0.25, 3.0))
    assert taught.parts["visual.taught"].abs() < 1e-5
    assert taught.parts["cross.taught"].abs() < 1e-5
    hard = alone.parts["visual"] + alone.parts["cross"]
    torch.testing.assert_close(taught.total, 0.75 * hard + alone.parts["ctc"])


def test_a_student_comes_to_say_what_the_teacher_says(models):
    student, teacher, images, targets = models
    optimizer = torch.optim.AdamW(student.parameters(), lr=3e-3)
    found = []
    for _ in range(60):
        losses = loss(student, images, targets, teacher=Teacher(teacher, 1.0, 2.0))
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        found.append(losses.parts["visual.taught"].item() + losses.parts["cross.taught"].item())
    assert found[-1] < found[0] / 3
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert loss(student, images, targets).parts["visual"] > found[-1]  # the labels themselves were not learned


def test_padding_is_not_taught(models):
    student, teacher, images, targets = models
    alone = loss(student, images[1:2], targets[1:2, :2], cross=False, teacher=Teacher(teacher, 1.0, 1.0))
    padded = loss(student, images[1:2], targets[1:2], cross=False, teacher=Teacher(teacher, 1.0, 1.0))
    torch.testing.assert_close(alone.parts["visual.taught"], padded.parts["visual.taught"])


def test_a_run_with_a_teacher(train_here, tmp_path):
    torch.manual_seed(5)
    checkpoint.save(Clip4Str(tiny_config()), tmp_path / "teacher")
    flags = (f"--model.teacher.folder={tmp_path / 'teacher'}", "--model.teacher.share=0.5")
    taught = train_here("taught", *flags)
    assert largest_change(weights(taught), weights(train_here("alone"))) > 1e-4
    assert weights(taught).keys() == Clip4Str(tiny_config()).state_dict().keys()
    assert not any("taught" in name for name in kept(taught)["state_dict"])
    train_here("taught", *flags, "--trainer.max_steps=6", f"--ckpt_path={taught / 'last.ckpt'}")
    with pytest.raises(ConfigError, match="share over 0"):
        train_here("wrong", flags[0], "--model.teacher.share=0")


def test_teachers_that_do_not_fit(train_here, tmp_path):
    cfg = tiny_config()
    others = {
        "characters": dataclasses.replace(cfg, charset=Charset.preset("94")),
        "input": dataclasses.replace(cfg, mean=(0.4, 0.5, 0.5)),
        "longest word": dataclasses.replace(cfg, max_length=30),
    }
    for what, other in others.items():
        checkpoint.save(Clip4Str(other), tmp_path / what)
        with pytest.raises(ConfigError, match=f"has another {what}"):
            train_here("run", f"--model.teacher.folder={tmp_path / what}")
    checkpoint.save(Clip4Str(cfg), tmp_path / "visual", cross=False)
    with pytest.raises(ConfigError, match="cross-modal branch was never trained"):
        train_here("run", f"--model.teacher.folder={tmp_path / 'visual'}")


def test_ctc_is_left_out_or_put_in(tmp_path):
    with_head = checkpoint.save(Clip4Str(tiny_config()), tmp_path / "with")
    without = starting_model("clip4str-tiny", with_head, ctc_weight=0.0)
    assert without.ctc_head is None
    again = starting_model("clip4str-tiny", checkpoint.save(without, tmp_path / "without"), ctc_weight=0.5)
    assert (again.cfg.ctc_weight, again.ctc_head.weight.shape) == (0.5, (96, 32))
    expected = checkpoint.load(with_head)[0].image_tower.state_dict()
    assert_same(again.image_tower.state_dict(), expected)


# Short words first


class Endless:
    """Words of one to ten characters."""

    def __len__(self):
        return 2**62

    def text(self, i):
        return "a" * int(np.random.default_rng(i).integers(1, 11))

    def __getitem__(self, i):
        return Sample(str(i), np.zeros((8, 24, 3), np.uint8), self.text(i))


def lengths(batches, step):
    return [len(batches.tokenizer.decode(row[1:])) for row in batches[step].targets.tolist()]


def test_short_words_come_first():
    def build(first):
        mixture = Mixture([Endless()], [1.0], 0, length=2**62)
        tokenizer, size = CharTokenizer(Charset.preset("36")), Preprocessing(8, 24)
        return Batches(mixture, frozenset(), tokenizer, size, 16, 1, lengths=Lengths(first, every=2))

    batches = build(3)
    longest = [max(lengths(batches, step)) for step in (0, 1, 2, 3, 8, 20)]
    assert longest == [3, 3, 4, 4, 7, 10]
    assert min(lengths(batches, 20)) < 4  # of all lengths by then
    assert batches[0].samples == build(3)[0].samples
    assert len({name for step in range(8) for name in batches[step].samples}) == 8 * 16
    plain = build(0)
    kept = [i for i, length in enumerate(lengths(plain, 0)) if length <= 3]
    assert kept
    assert {plain[0].samples[i] for i in kept} <= set(batches[0].samples)  # those that are short enough stay


def test_a_limit_that_no_word_meets_is_none():
    class Long(Endless):
        def text(self, i):
            return "abcdefgh"

    mixture = Mixture([Long()], [1.0], 0, length=2**62)
    batches = Batches(
        mixture, frozenset(), CharTokenizer(Charset.preset("36")), Preprocessing(8, 24), 2, 1, lengths=Lengths(2)
    )
    assert lengths(batches, 0) == [8, 8]


# The step


class Waits(TorchDispatchMode):
    """Counts operations whose result the processor has to know, so that it waits for a GPU."""

    waits = ("_local_scalar_dense", "nonzero", "unique", "masked_select", "is_nonzero", "equal")

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.found += [name] * name.lstrip("_").startswith(tuple(w.lstrip("_") for w in self.waits))
        return func(*args, **(kwargs or {}))


def test_a_step_waits_for_nothing_but_the_number_of_distinct_captions(models):
    student, teacher, images, targets = models
    taught = Teacher(teacher, 0.5, 2.0)
    for more, expected in (({"cross": False}, []), ({}, ["unique_dim"]), ({"teacher": taught}, ["unique_dim"] * 2)):
        with Waits() as waits:
            loss(student, images, targets, **more).total.backward()
        assert waits.found == expected


def test_a_fused_optimiser_in_half_precision_clips_and_goes_on(train_here, monkeypatch):
    fused = train_here("fused", "--trainer.gradient_clip_val=0.1", "--model.lr=1e-4")
    assert all(group["fused"] for group in kept(fused)["optimizer_states"][0]["param_groups"])
    half = ("--trainer.gradient_clip_val=0.1", "--trainer.precision=bf16-mixed")
    folder = train_here("half", *half)
    monkeypatch.setattr(Recognition, "fused", False)
    plain = train_here("plain", "--trainer.gradient_clip_val=0.1", "--model.lr=1e-4")
    assert_same(weights(fused), weights(plain), atol=1e-5)
    train_here("half", *half, "--trainer.max_steps=6", f"--ckpt_path={folder / 'last.ckpt'}")
    assert not any(group["fused"] for group in kept(folder)["optimizer_states"][0]["param_groups"])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_parts_train_the_same(train_here, monkeypatch, backend):
    """Traced alone, and the whole way through a compiler."""
    compile_ = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda *args, **more: compile_(*args, backend=backend, **more))
    flags = ("--model.ema=0.9", "--model.cross_from=2")
    plain = train_here("plain", *flags)
    compiled = train_here("compiled", *flags, "--model.compile=true")
    assert_same(weights(compiled), weights(plain), atol=1e-4)
