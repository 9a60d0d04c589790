"""What a run leaves and says: logs, its page, the best recognizer beside the last, and nothing of dependencies."""

import csv
import json
import re
import sys
import types
from typing import ClassVar

import pytest
from lightning.pytorch.loggers.logger import DummyLogger
from small_runs import assert_same, weights

from wordsight.models import checkpoint
from wordsight.train.curves import chart, read_metrics, write_report
from wordsight.train.module import Recognition


def about(folder):
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))["about"]


def test_the_last_step_is_validated_and_kept_whatever_the_interval(train_here):
    folder = train_here("run", "--trainer.max_steps=5", "--trainer.val_check_interval=3")
    logged = read_metrics(folder)
    assert [step for step, _ in logged["val/accuracy"]] == [3, 5]
    assert about(folder / "model")["steps"] == 5
    train_here("run", "--trainer.max_steps=6", f"--ckpt_path={folder / 'last.ckpt'}")
    assert about(folder / "model")["steps"] == 6


def test_learning_rate_and_ned_are_logged(train_here):
    folder = train_here("run", "--trainer.max_steps=4")
    logged = read_metrics(folder)
    assert [step for step, _ in logged["train/lr"]] == [1, 2, 3, 4]
    assert [rate for _, rate in logged["train/lr"]] == pytest.approx([0.5e-3, 1e-3, 1e-3, 1e-3])
    assert all(0 <= value <= 100 for _, value in logged["val/ned"])


def test_the_page_shows_the_curve_of_all_parts(train_here):
    folder = train_here("run", "--trainer.max_steps=2")
    train_here("run", "--trainer.max_steps=4", f"--ckpt_path={folder / 'last.ckpt'}")
    page = (folder / "report.html").read_text(encoding="utf-8")
    for title in ("Validation words, %", "Training loss", "Learning rate", "1-NED"):
        assert title in page
    assert re.findall(r"<tr><td>(\d+)</td>", page) == ["2", "4"]
    assert "http" not in page


def test_the_best_recognizer_is_kept_beside_the_last(train_here, monkeypatch):
    scores = iter((30.0, 50.0, 40.0, 50.0, 20.0))

    def end(self):
        self.log("val/accuracy", next(scores))
        del self._reader

    monkeypatch.setattr(Recognition, "validation_step", lambda *_: None)
    monkeypatch.setattr(Recognition, "on_validation_epoch_end", end)
    folder = train_here("run", "--trainer.max_steps=6")
    assert (about(folder / "best")["steps"], about(folder / "model")["steps"]) == (4, 6)
    kept = checkpoint.load(folder / "best")[0].state_dict()
    assert any((kept[name] != tensor).any() for name, tensor in weights(folder).items())
    train_here("run", "--trainer.max_steps=8", f"--ckpt_path={folder / 'last.ckpt'}")  # 50 again: the later one
    assert about(folder / "best")["steps"] == 8
    train_here("run", "--trainer.max_steps=10", f"--ckpt_path={folder / 'last.ckpt'}")  # 20: worse than before
    assert about(folder / "best") == about(folder / "best") | {"steps": 8, "validation_accuracy": 50.0}


def test_what_another_run_left_is_not_the_best(train_here, tmp_path):
    folder = tmp_path / "run"
    train_here("run", "--trainer.max_steps=4")
    config = json.loads((folder / "best" / "config.json").read_text())
    config["about"]["validation_accuracy"] = 101.0
    (folder / "best" / "config.json").write_text(json.dumps(config))
    train_here("run", "--trainer.max_steps=2")
    assert about(folder / "best")["steps"] == 2
    assert_same(checkpoint.load(folder / "best")[0].state_dict(), weights(folder))


class Listening(DummyLogger):
    """A logger of a user's own."""

    heard: ClassVar[list[str]] = []

    @property
    def save_dir(self):
        return None

    def log_metrics(self, metrics, step=None):
        self.heard.extend(metrics)


def test_loggers_of_the_users_choice_are_used_beside_the_csv(train_here, monkeypatch):
    module = types.ModuleType("their_loggers")
    module.Listening = Listening
    Listening.__module__ = "their_loggers"
    monkeypatch.setitem(sys.modules, "their_loggers", module)
    monkeypatch.setattr(Listening, "heard", [])
    folder = train_here("run", "--trainer.max_steps=2", "--trainer.logger=their_loggers.Listening")
    assert {"train/loss", "train/lr", "val/accuracy", "val/ned"} <= set(Listening.heard)
    assert "train/loss" in read_metrics(folder)
    assert not (folder / "tensorboard").exists()


@pytest.mark.parametrize(("flag", "there"), [("true", True), ("false", False)])
def test_tensorboard_is_the_default(train_here, flag, there):
    folder = train_here("run", "--trainer.max_steps=1", f"--trainer.logger={flag}")
    assert bool(list(folder.rglob("events.out.tfevents.*"))) is there


def test_the_screen_shows_the_result_and_nothing_of_dependencies(start_apart):
    process = start_apart("run", "--trainer.max_steps=2")
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    lines = output.strip().splitlines()
    assert len(lines) == 1, output
    assert re.fullmatch(r"step 2, [\d.]+ % of validation words right; \S+model, \S+report.html", lines[0])


def test_later_parts_of_a_run_count_where_they_overlap(tmp_path):
    for version, rows in (("version_0", [(0, 3.0), (1, 2.0), (2, 9.0)]), ("version_1", [(2, 1.0), (3, 0.5)])):
        (tmp_path / "csv" / version).mkdir(parents=True)
        with (tmp_path / "csv" / version / "metrics.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([("epoch", "step", "train/loss"), *((0, step, loss) for step, loss in rows)])
    assert read_metrics(tmp_path)["train/loss"] == [(1, 3.0), (2, 2.0), (3, 1.0), (4, 0.5)]
    assert "Training loss" in write_report(tmp_path).read_text(encoding="utf-8")


def test_a_chart_spans_its_values():
    svg = chart({"up": [(10, 0.0), (20, 50.0)], "one": [(15, 25.0)]})
    assert '<polyline points="64.0,192.0 712.0,8.0"' in svg
    assert '<circle cx="388.0" cy="100.0"' in svg
    assert "step 10" in svg
    assert "step 20" in svg
