"""What a recipe may switch on: averages, pseudo-labels, a time limit, a fused optimiser."""

import shutil
import time

import numpy as np
import pytest
import torch
from small_runs import assert_same, largest_change, tiny_config, weights
from torch.utils._python_dispatch import TorchDispatchMode

from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.train import Recognition
from wordsight.train.callbacks import KeepCheckpoint
from wordsight.train.ema import EVERY

EMA = ("--model.optimiser.ema=0.9", "--trainer.val_check_interval=5", "--model.objective.cross_from=13")


def kept(folder):
    return torch.load(folder / "last.ckpt", weights_only=True)


def test_averages_are_what_is_kept_and_validated(train_here, monkeypatch):
    seen, expected = [], {}
    step = Recognition.optimizer_step

    def watched(self, *args, **kwargs):
        step(self, *args, **kwargs)
        seen.append({name: tensor.clone() for name, tensor in self.model.state_dict().items()})

    monkeypatch.setattr(Recognition, "optimizer_step", watched)
    folder = train_here(
        "run", *EMA, "--model.objective.cross_from=0", "--trainer.max_steps=5", "--trainer.val_check_interval=3"
    )
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
    plain = train_here("plain", *EMA, "--model.optimiser.ema=0", "--trainer.max_steps=25", dropout=0.1)
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


def test_a_step_waits_for_nothing_but_the_number_of_distinct_captions():
    torch.manual_seed(1)
    model = Clip4Str(tiny_config())
    targets = torch.from_numpy(model.tokenizer.encode(["abc", "", "hello"]))
    images = torch.randn(3, 3, 32, 128)
    for more, expected in (({"cross": False}, []), ({}, ["unique_dim"])):
        with Waits() as waits:
            model.loss(images, targets, torch.Generator().manual_seed(0), **more).total.backward()
        assert waits.found == expected


def test_a_fused_optimiser_in_half_precision_clips_and_goes_on(train_here, monkeypatch):
    fused = train_here("fused", "--trainer.gradient_clip_val=0.1", "--model.optimiser.lr=1e-4")
    assert all(group["fused"] for group in kept(fused)["optimizer_states"][0]["param_groups"])
    half = ("--trainer.gradient_clip_val=0.1", "--trainer.precision=bf16-mixed")
    folder = train_here("half", *half)
    monkeypatch.setattr(Recognition, "fused", False)
    plain = train_here("plain", "--trainer.gradient_clip_val=0.1", "--model.optimiser.lr=1e-4")
    assert_same(weights(fused), weights(plain), atol=1e-5)
    train_here("half", *half, "--trainer.max_steps=6", f"--ckpt_path={folder / 'last.ckpt'}")
    assert not any(group["fused"] for group in kept(folder)["optimizer_states"][0]["param_groups"])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_parts_train_the_same(train_here, monkeypatch, backend):
    """Traced alone, and the whole way through a compiler."""
    compile_ = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda *args, **more: compile_(*args, backend=backend, **more))
    flags = ("--model.optimiser.ema=0.9", "--model.objective.cross_from=2")
    plain = train_here("plain", *flags)
    compiled = train_here("compiled", *flags, "--model.compile=true")
    assert_same(weights(compiled), weights(plain), atol=1e-4)
