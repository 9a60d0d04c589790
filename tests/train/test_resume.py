"""Runs that die: what is left is whole, and going on from it ends where an uninterrupted run ends."""

import os
import random
import signal
import time

import pytest
import torch
from small_runs import assert_same, weights

from wordsight.errors import ModelError
from wordsight.train import Recognition
from wordsight.train.checkpoints import AtomicCheckpoints

# What differs between runs if anything does: workers, dropout, augmentation, a schedule that counts steps.
FLAGS = ("--data.workers=2", "--model.optimiser.warmup=30")


def kill(process):
    """SIGKILL to the run and its workers."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(file, process):
    while not file.exists():
        assert process.poll() is None, process.stdout.read()[-3000:]
        time.sleep(0.02)


def steps_of(checkpoint):
    return torch.load(checkpoint, weights_only=True)["global_step"]


def test_a_killed_run_ends_as_one_that_was_never_killed(start_apart, train_here, tmp_path):
    last = tmp_path / "killed" / "last.ckpt"
    process = start_apart("killed", *FLAGS, "--trainer.max_steps=100000", dropout=0.1)
    wait_for(last, process)
    kill(process)
    end = steps_of(last) + 3
    resumed = train_here("killed", *FLAGS, f"--trainer.max_steps={end}", f"--ckpt_path={last}", dropout=0.1)
    through = train_here("through", *FLAGS, f"--trainer.max_steps={end}", dropout=0.1)
    assert_same(weights(resumed), weights(through))


def test_a_run_may_die_between_the_parts_of_a_step(train_here, tmp_path, monkeypatch):
    """Also in the first step after it was resumed."""
    flags = ("--data.batch_size=2", "--data.total_batch=4", "--trainer.max_steps=6")
    through = weights(train_here("through", *flags, dropout=0.1))
    step, resume, last = Recognition.training_step, [], tmp_path / "dying" / "last.ckpt"
    for part in (5, 5, 9):

        def dying(self, batch, batch_idx, part=part):
            if batch.index == part:
                raise KeyError(part)
            return step(self, batch, batch_idx)

        monkeypatch.setattr(Recognition, "training_step", dying)
        with pytest.raises(KeyError):
            train_here("dying", *flags, *resume, dropout=0.1)
        assert steps_of(last) == part // 2
        resume = [f"--ckpt_path={last}"]
    monkeypatch.setattr(Recognition, "training_step", step)
    assert_same(weights(train_here("dying", *flags, *resume, dropout=0.1)), through)


@pytest.mark.slow
def test_a_run_killed_again_and_again_gets_there(start_apart, train_here, tmp_path):
    last = tmp_path / "killed" / "last.ckpt"
    flags = (
        *FLAGS,
        "--data.batch_size=2",
        "--data.total_batch=4",
        "--model.optimiser.schedule=one-cycle",
        "--trainer.max_steps=60",
    )
    dice = random.Random(0)
    for _ in range(4):
        resume = [f"--ckpt_path={last}"] if last.exists() else []
        process = start_apart("killed", *flags, *resume, dropout=0.1)
        before = last.stat().st_mtime_ns if last.exists() else 0
        while process.poll() is None and not (last.exists() and last.stat().st_mtime_ns > before):
            time.sleep(0.02)
        time.sleep(dice.uniform(0, 0.5))
        kill(process)
    assert last.exists()
    resumed = train_here("killed", *flags, f"--ckpt_path={last}", dropout=0.1)
    assert_same(weights(resumed), weights(train_here("through", *flags, dropout=0.1)))


def test_a_kill_while_writing_leaves_a_whole_checkpoint(tmp_path):
    file, dice = tmp_path / "last.ckpt", random.Random(0)
    for _ in range(8):
        child = os.fork()
        if child == 0:
            for i in range(10**6):
                state = {"optimizer_states": [], "x": torch.full((200_000,), i, dtype=torch.int32)}
                AtomicCheckpoints().save_checkpoint(state, file)
        time.sleep(dice.uniform(0.02, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if file.exists():
            x = AtomicCheckpoints().load_checkpoint(file)["x"]
            assert (x == x[0]).all()
    assert file.exists()


def test_checkpoints_that_are_none(tmp_path, train_here):
    file, io = tmp_path / "last.ckpt", AtomicCheckpoints()
    with pytest.raises(ModelError, match="no such checkpoint"):
        io.load_checkpoint(file)
    io.save_checkpoint({"optimizer_states": [], "x": torch.zeros(10_000)}, file)
    whole = file.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"PK\3\4 and so on", b"\x80\4."):
        file.write_bytes(broken)
        with pytest.raises(ModelError, match=r"last\.ckpt: not a whole training checkpoint") as caught:
            io.load_checkpoint(file)
        assert "\n" not in str(caught.value)
    torch.save({"state_dict": {}}, file)
    with pytest.raises(ModelError, match="holds no state of a training run"):
        train_here("run", f"--ckpt_path={file}")


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"optimizer_states": Trap()}, tmp_path / "last.ckpt")
    with pytest.raises(ModelError, match="not a whole training checkpoint"):
        AtomicCheckpoints().load_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "sprung").exists()
