"""Fine-tuning on a few hundred of your own crops, without forgetting the rest.

`finetune_plan` looks at the words and decides; `run_finetuning` trains, then reads held-out and general words with the
model as it was before and as it is after.
"""

import logging
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from wordsight.data import Mixture, Sample, Source, TrainableLabels
from wordsight.evaluate import Protocol, Record, score
from wordsight.evaluate.metrics import is_right
from wordsight.evaluate.report import Report
from wordsight.models import checkpoint
from wordsight.models.charset import character_tables
from wordsight.models.clip4str import Clip4Str
from wordsight.models.peft import LoraLinear, PeftConfig, merge_peft, save_adapter
from wordsight.models.ppocr import Svtr
from wordsight.models.quiet import quietly
from wordsight.models.reading import TorchRecognizer
from wordsight.synth.lines import RenderedLines
from wordsight.synth.replay import ReplayWords
from wordsight.train.batches import Batch, Batches, FromBatch
from wordsight.train.config import FreezingConfig, ObjectiveConfig, OptimiserConfig
from wordsight.train.curves import Records
from wordsight.train.finetune_plan import LR, Plan, Watch, unwatched
from wordsight.train.module import Recognition
from wordsight.train.validation import read

_AT_ONCE = 64
_WIDEST = 480  # columns of a rendered word for recognizers that take any width: ten times as wide as high


@dataclass(frozen=True)
class Outcome:
    """The result of a fine-tuning.

    Attributes:
        model: the trained recognizer, plain.
        steps: how many were taken.
        report: scores of both sets before and after; readings after training, of the held-out words first.
        rule: how the scores count: every character of the model, case too.
        gained, lost: held-out words that became right, and that became wrong.
        about: what its checkpoint says under "finetuned".
    """

    model: Clip4Str | Svtr
    steps: int
    report: Report
    rule: Protocol
    gained: int
    lost: int
    about: dict[str, Any]


def run_finetuning(plan: Plan, out: Path, watch: Watch = unwatched) -> Outcome:
    """Trains, blends with the start, writes the recognizer (adapters merged) to `out` as a checkpoint, and compares.

    With LoRA, `out/adapter` holds what was trained alone, to be put on `plan.model`. Ctrl-C while training ends it
    early: what is trained by then is kept and compared.
    """
    cross = plan.cross
    model, steps = fit(plan, out, watch)
    blend(model, plan.model, plan.settings.blend, plan.new)
    if plan.tower == "lora":
        save_adapter(model, out / "adapter", start=plan.start.name, steps=steps)
    merge_peft(model)
    model.eval()
    facts = {
        "start": plan.start.name,
        "words": len(plan.training),
        "new": plan.new,
        "tower": plan.tower,
        "steps": steps,
    }
    checkpoint.save(model, out, **(plan.about | {"cross": cross, "finetuned": facts}))
    # Both models read at the end: training starts at once, and a stop while they read loses no training.
    count = len(plan.general)
    sets = {
        "held-out": [plan.held_out[i] for i in range(len(plan.held_out))],
        "general": [plan.general[i] for i in watch(range(count), count, "general words")],
    }
    before, after = (
        {name: read_words(one, samples, f"{name} {when}", cross, watch) for name, samples in sets.items()}
        for one, when in ((plan.model, "before"), (model, "after"))
    )
    summary = "all characters of the model, case counts"
    rule = Protocol("all", model.cfg.charset, keep_empty=True, summary=summary)
    scores = [score(records[name], rule) for name in sets for records in (before, after)]
    if plan.new:
        for records, when in ((before, "before"), (after, "after")):
            having = [r for r in records["held-out"] if set(rule.label(r.label)) & set(plan.new)]
            scores.append(score(having, rule, f"held-out with new characters {when}"))
    report = Report(plan.start.name, {"tower": plan.tower}, scores, (), [*after["held-out"], *after["general"]])
    pairs = zip(before["held-out"], after["held-out"], strict=True)
    turns = Counter((is_right(a, rule), is_right(b, rule)) for a, b in pairs)
    return Outcome(model, steps, report, rule, turns[False, True], turns[True, False], facts)


def read_words(model: Clip4Str | Svtr, samples: Sequence[Sample], name: str, cross: bool, watch: Watch) -> list[Record]:
    """What the model reads on every sample; `name` is the data set's in the records."""
    reader = TorchRecognizer(model.eval(), cross=cross)
    records = []
    starts = range(0, len(samples), _AT_ONCE)
    for first in watch(starts, len(starts), name):
        some = samples[first : first + _AT_ONCE]
        for sample, reading in zip(some, read(reader, [sample.image for sample in some]), strict=True):
            records.append(Record(name, sample.id, sample.text, reading.text, reading.confidence))
    return records


def fit(plan: Plan, out: Path, watch: Watch) -> tuple[Clip4Str | Svtr, int]:
    """Trains a copy of `plan.model`. Returns it, its adapters not merged, and how many steps it took."""
    settings, cfg = plan.settings, plan.model.cfg
    replay = _replay(plan, watch) if settings.replay_share else []
    weights = [1 - settings.replay_share, *(settings.replay_share / len(replay) for _ in replay)]
    mixture = Mixture([plan.training, *replay], weights, settings.seed)
    batches = Batches(mixture, frozenset({0}), cfg.tokenizer, cfg.preprocessing, settings.batch_size, pool=8)
    loader: DataLoader[Batch] = DataLoader(
        batches,
        batch_size=None,
        sampler=FromBatch(0),
        num_workers=settings.workers,
        worker_init_fn=_leave_interrupts_to_the_parent,
    )
    with tempfile.TemporaryDirectory() as scratch, quietly("lightning.pytorch", "lightning.fabric"):
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
        trainer.fit(module, train_dataloaders=watch(loader, settings.steps, "training"))
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
        enlarged=wide,
    )
    if missing := set(words.undrawable) & set(plan.new):
        logging.getLogger(__name__).warning("no font draws %s: learned from your words only", "".join(sorted(missing)))
    if not wide:
        return [words]
    lines = RenderedLines(seed=settings.seed, fonts=fonts, characters=cfg.charset.characters)
    return [words, TrainableLabels(lines, cfg.charset, cfg.max_length)]


def _module(plan: Plan, scratch: Path) -> Recognition:
    settings = plan.settings
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
        freezing=FreezingConfig(
            peft=None if svtr or plan.tower == "full" else PeftConfig(plan.tower, towers=("image", "text"))
        ),
        seed=settings.seed,
    )
    if isinstance(plan.model, Svtr):
        module.model.image_encoder.requires_grad_(plan.tower != "frozen")
    elif plan.new and plan.model.cfg.captions == "characters":
        module.model.text_tower.token_embedding.requires_grad_(True)  # the new characters' rows have to be learned
    return module


def _leave_interrupts_to_the_parent(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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


def blend(tuned: Clip4Str | Svtr, start: Clip4Str | Svtr, share: float, new: str = "") -> None:
    """Moves the weights of `tuned` back towards those of `start`, in place: `share` 1 leaves them, 0 is the start.

    Between the two is most of what was gained and half of what was forgotten (arXiv 2109.01903).

    `tuned` may have LoRA, whose updates are scaled by `share`. The rows of the characters in `new` stay as they were
    trained: the start knows nothing of them.
    """
    before = start.state_dict()
    tables = set.union(*character_tables(tuned))
    rows = tuned.tokenizer.ids(new)
    with torch.no_grad():
        for module in tuned.modules():
            if isinstance(module, LoraLinear):
                module.up.weight *= share
        for name, parameter in tuned.named_parameters():
            if not parameter.requires_grad or name not in before:
                continue
            mixed = before[name].to(parameter.device).lerp(parameter, share)
            if name in tables:
                mixed[rows] = parameter[rows]
            parameter.copy_(mixed)
