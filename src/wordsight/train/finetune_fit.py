"""The training itself of a fine-tuning: the user's words and rendered ones, a few hundred steps, Ctrl-C at any time."""

import logging
import signal
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from wordsight.data import Mixture, Source, TrainableLabels
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.peft import PeftConfig
from wordsight.models.ppocr import Svtr
from wordsight.synth.lines import RenderedLines
from wordsight.synth.replay import ReplayWords
from wordsight.train.batches import Batch, Batches, FromBatch
from wordsight.train.config import FreezingConfig, ObjectiveConfig, OptimiserConfig
from wordsight.train.finetune_plan import LR, Plan, Watch
from wordsight.train.module import Recognition
from wordsight.train.quiet import quietly
from wordsight.train.records import Records

_WIDEST = 480  # columns of a rendered word for recognizers that take any width: ten times as wide as high


def fit(plan: Plan, out: Path, watch: Watch) -> tuple[Clip4Str | Svtr, int]:
    """Trains a copy of `plan.model`. Returns it, its adapters not merged, and how many steps it took."""
    settings, cfg = plan.settings, plan.model.cfg
    replay = _replay(plan, watch)
    share = settings.replay_share / max(1, len(replay))
    weights = [1 - settings.replay_share, *(share for _ in replay)] if settings.replay_share else [1.0]
    sources = [plan.training, *replay] if settings.replay_share else [plan.training]
    mixture = Mixture(sources, weights, settings.seed, length=2**62)
    batches = Batches(mixture, frozenset({0}), cfg.tokenizer, cfg.preprocessing, settings.batch_size, pool=8)
    loader: DataLoader[Batch] = DataLoader(
        batches,
        batch_size=None,
        sampler=FromBatch(0),
        num_workers=settings.workers,
        worker_init_fn=_leave_interrupts_to_the_parent,
    )
    with tempfile.TemporaryDirectory() as scratch, quietly():
        module = _module(plan, Path(scratch))
        trainer = lightning.Trainer(
            max_steps=settings.steps,
            max_epochs=-1,
            devices=1,
            gradient_clip_val=5.0,
            callbacks=[_StopOnInterrupt(), Records()],
            logger=CSVLogger(out, "", "", flush_logs_every_n_steps=50),
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=out,
        )
        trainer.fit(module, train_dataloaders=_Watched(loader, settings.steps, watch))
    return module.model.cpu(), trainer.global_step


def _replay(plan: Plan, watch: Watch) -> list[Source]:
    """Rendered words; for a recognizer that takes any width also lines."""
    settings, cfg = plan.settings, plan.model.cfg
    fonts = list(settings.fonts) or None
    wide = cfg.preprocessing.width is None
    words = ReplayWords(
        cfg.charset,
        plan.new,
        [plan.training.text(i) for i in range(len(plan.training))],
        cfg.max_length,
        settings.seed,
        fonts,
        lambda faces: watch(faces, len(faces), "looking at fonts"),
        (cfg.preprocessing.height, _WIDEST) if wide else cfg.preprocessing.size,
    )
    if missing := set(words.undrawable) & set(plan.new):
        logging.getLogger(__name__).warning("no font draws %s: learned from your words only", "".join(sorted(missing)))
    if not wide:
        return [words]
    lines = RenderedLines(seed=settings.seed, fonts=fonts, characters=cfg.charset.characters)
    return [words, TrainableLabels(lines, cfg.charset, cfg.max_length)]


def _module(plan: Plan, scratch: Path) -> Recognition:
    settings = plan.settings
    kinds = {
        "lora": PeftConfig("lora", towers=("image", "text")),
        "frozen": PeftConfig("frozen", towers=("image", "text")),
    }
    svtr = isinstance(plan.model, Svtr)
    module = Recognition(
        model="svtr" if svtr else "clip4str-tiny",  # of its kind: the start has the sizes
        start=checkpoint.save(plan.model, scratch),
        objective=ObjectiveConfig(cross_from=0 if svtr or plan.cross else None),
        optimiser=OptimiserConfig(
            lr=LR[plan.model.architecture] if settings.lr is None else settings.lr,
            weight_decay=0.01,
            warmup=settings.steps // 10,
            decay=settings.steps // 2,
        ),
        freezing=FreezingConfig(peft=None if svtr else kinds.get(plan.tower)),
        seed=settings.seed,
    )
    if isinstance(plan.model, Svtr):
        module.model.image_encoder.requires_grad_(plan.tower != "frozen")
    elif plan.new and plan.model.cfg.captions == "characters":
        module.model.text_tower.token_embedding.requires_grad_(True)  # the new characters' rows have to be learned
    return module


def _leave_interrupts_to_the_parent(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass
class _Watched:
    """Batches whose progress is shown."""

    batches: Iterable[Batch]
    total: int
    watch: Watch

    def __iter__(self) -> Iterator[Batch]:
        return self.watch(self.batches, self.total, "training")


class _StopOnInterrupt(lightning.Callback):
    """Ctrl-C ends training after the current step; everything after it can be interrupted as usual."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Handle the signal, where that is possible (in the main thread)."""

        def stop(*_: Any) -> None:
            trainer.should_stop = True

        try:
            self._before: Any = signal.signal(signal.SIGINT, stop)
        except ValueError:
            self._before = None

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Restore the previous handler."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
