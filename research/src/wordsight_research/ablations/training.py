"""One training of a row with one seed, and how many words it reads right then."""

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch

from wordsight.data import Sample, Source, filter_labels, holdout, open_source
from wordsight.data.mixing import RotatedTall
from wordsight.evaluate import Protocol
from wordsight.imaging import prepare
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.freezing import trainable
from wordsight.models.reading import TorchRecognizer
from wordsight.synth.words import RenderedWords
from wordsight.train import Recognition, WordsData
from wordsight.train.callbacks import StopOnNaN
from wordsight.train.config import ObjectiveConfig, OptimiserConfig, RenderingConfig
from wordsight.train.start import refinements
from wordsight_research.ablations.build import Scale, build
from wordsight_research.ablations.plain import PlainData, PlainWords
from wordsight_research.ablations.rows import Row
from wordsight_research.ablations.shapes import operations

RATE_RATIO = 19.0
"""Decoders' learning rate over the towers' (spec 3.1)."""

EVAL_SEED = 2**31 - 1
"""Of the rendered words that are read in the end; trainings have small seeds."""

PROTOCOL = "36"


@dataclass(frozen=True)
class Settings:
    """What every training of a table shares.

    Attributes:
        steps: optimiser steps.
        batch_size: crops per step.
        lr: peak learning rate of the decoders, and of towers without a rate of their own.
        weight_decay: AdamW's.
        plain: train on and read easy words, see `plain`; none of the following is used then.
        real: data sets of real words to train on; the last tenth of each is read in the end instead.
        words: word lists to render.
        backgrounds: pictures to render on.
        fonts: folders of fonts.
        real_share: share of real words in training.
        eval_words: how many words of every source are read in the end, at most.
        workers: processes that render.
    """

    steps: int = 1800
    batch_size: int = 16
    lr: float = 2e-3
    weight_decay: float = 0.05
    plain: bool = True
    real: tuple[Path, ...] = ()
    words: tuple[Path, ...] = ()
    backgrounds: Path | None = None
    fonts: tuple[Path, ...] = ()
    real_share: float = 0.25
    eval_words: int = 1000
    workers: int = 1


@dataclass(frozen=True)
class Run:
    """What a training came to.

    Attributes:
        right: one character per word, "1" where it was read right under protocol 36.
        parameters: of the parts that are used.
        trainable: those of them that trained.
        loss: of the last step.
        seconds: of the training alone.
        steps: of the training. 0: as the settings say (files of earlier versions).
    """

    seed: int
    right: str
    parameters: int
    trainable: int
    loss: float
    seconds: float
    steps: int = 0


def run(
    row: Row,
    scale: Scale,
    settings: Settings,
    seed: int,
    samples: Sequence[Sample],
    bar: bool = False,
) -> Run:
    """Train and read `samples`.

    Args:
        row: what to train.
        scale: model and weights.
        settings: of the training.
        seed: of everything random.
        samples: words to read in the end.
        bar: whether the training shows its progress.

    Raises:
        WordsightError: the model or the data are not available, or the training diverged.
    """
    steps = settings.steps
    torch.manual_seed(seed)
    ratio = RATE_RATIO if row.two_rates and scale.folder(row) else 1.0
    module = Recognition(
        objective=ObjectiveConfig(cross_from=0 if row.cross else None),
        optimiser=OptimiserConfig(
            lr=settings.lr / ratio,
            decoder_lr_scale=ratio,
            weight_decay=settings.weight_decay,
            schedule="one-cycle",
        ),
        seed=seed,
    )
    module.model = build(row, scale).train()
    if not row.cross:
        for part in (module.model.text_tower, module.model.cross_decoder):
            part.requires_grad_(False)
    unused = ("text_tower.", "cross_decoder.") if not row.cross else ()
    parameters = sum(p.numel() for n, p in module.model.named_parameters() if not n.startswith(unused))
    if row.shape:
        steps = round(steps * operations(Clip4Str(scale.config())) / operations(module.model))
        torch.manual_seed(seed)
    began = time.perf_counter()
    data = _data(module.model.cfg, settings, seed)
    trainer = _fit(module, data, steps, bar)
    seconds = time.perf_counter() - began
    loss = float(trainer.callback_metrics["train/loss"])
    model = module.model.eval().to(trainer.strategy.root_device)  # where it trained; Lightning has taken it away
    right = read(model, row.cross, samples)
    marks = "".join("1" if r else "0" for r in right)
    return Run(seed, marks, parameters, trainable(module.model), round(loss, 4), round(seconds, 1), steps)


def _data(cfg: Clip4StrConfig, settings: Settings, seed: int) -> lightning.LightningDataModule:
    if settings.plain:
        return PlainData(cfg, settings.batch_size, settings.workers, seed)
    return WordsData(
        real=settings.real,
        real_share=settings.real_share,
        rendering=RenderingConfig(settings.words, settings.backgrounds, settings.fonts),
        batch_size=settings.batch_size,
        workers=settings.workers,
        seed=seed,
    )


def _fit(
    module: Recognition,
    data: lightning.LightningDataModule,
    steps: int,
    bar: bool,
) -> lightning.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about loggers, validation and workers that are left out on purpose
        trainer = lightning.Trainer(
            max_steps=steps,
            max_epochs=-1,
            devices=1,
            precision="bf16-mixed" if torch.cuda.is_available() else "32-true",
            gradient_clip_val=20.0,  # spec 3.1
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=bar,
            use_distributed_sampler=False,
            callbacks=[StopOnNaN()],
        )
        trainer.fit(module, data)
    return trainer


def evaluation(cfg: Clip4StrConfig, settings: Settings) -> list[Sample]:
    """The words that all rows read: rendered ones, and the held-out part of every real source, as protocol 36 counts.

    Benchmarks' test sets have no place here: tables are for choosing.
    """
    if settings.plain:
        plain = PlainWords(settings.eval_words, EVAL_SEED)
        return [plain[i] for i in range(len(plain))]
    rendered = RenderedWords(
        settings.eval_words,
        EVAL_SEED,
        fonts=list(settings.fonts) or None,
        words=list(settings.words),
        backgrounds=settings.backgrounds,
    )
    samples = [rendered[i] for i in range(settings.eval_words)]
    for path in settings.real:
        _, last = holdout(filter_labels(open_source(path), cfg.charset, cfg.max_length)[0], 0.1)
        held_out = RotatedTall(last)
        spread = np.linspace(0, len(held_out), min(len(held_out), settings.eval_words), endpoint=False)
        samples += [held_out[int(i)] for i in spread]
    protocol = Protocol.named(PROTOCOL)
    return [sample for sample in samples if not protocol.reject(sample.text)]


def read(
    model: Any, cross: bool, samples: Sequence[Sample] | Source, protocol: str = PROTOCOL, batch_size: int = 64
) -> list[bool]:
    """Which samples a model in eval mode, a CLIP4STR or a PARSeq, reads right under a protocol, each crop once.

    One that was trained from left to right alone is not refined: it has never seen what stands after a character.
    """
    cfg, rules = model.cfg, Protocol.named(protocol)
    recognizer = TorchRecognizer(model, "full" if cross else "visual", cross=cross, refine_iters=refinements(model))
    right: list[bool] = []
    for start in range(0, len(samples), batch_size):
        part = [samples[i] for i in range(start, min(start + batch_size, len(samples)))]
        images = prepare([sample.image for sample in part], cfg.preprocessing)
        readings = recognizer.read(images)
        right += [
            rules.label(sample.text) == rules.reading(reading.text)
            for sample, reading in zip(part, readings, strict=True)
        ]
    return right


def as_array(runs: Sequence[Run]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(seeds, words) of runs over the same words."""
    return np.array([[mark == "1" for mark in run.right] for run in runs])
