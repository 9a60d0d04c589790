"""Fine-tuning on a few hundred of your own crops, without forgetting the rest.

`plan_finetuning` looks at the words and decides; `run_finetuning` trains, then reads held-out and general words with
the model as it was before and as it is after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wordsight.data import Sample
from wordsight.evaluate import Protocol, Record, Score, score
from wordsight.evaluate.metrics import is_right
from wordsight.evaluate.report import Report
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.peft import merge_peft, save_adapter
from wordsight.models.ppocr import Svtr
from wordsight.models.reading import TorchRecognizer
from wordsight.text import Charset
from wordsight.train.blending import blend
from wordsight.train.finetune_fit import fit
from wordsight.train.finetune_plan import Plan, Settings, Watch, plan_finetuning, unwatched
from wordsight.train.validation import read

__all__ = ["Outcome", "Plan", "Settings", "plan_finetuning", "read_words", "run_finetuning"]

_AT_ONCE = 64


@dataclass(frozen=True)
class Outcome:
    """The result of a fine-tuning.

    Attributes:
        model: the trained recognizer, plain.
        steps: how many were taken.
        report: scores of both sets before and after; readings after training, of the held-out words first.
        rule: how the scores count: every character of the model, case too.
        gained, lost: held-out words that became right, and that became wrong.
        about: where the model comes from, as its checkpoint says under "finetuned".
    """

    model: Clip4Str | Svtr
    steps: int
    report: Report
    rule: Protocol
    gained: int
    lost: int
    about: dict[str, Any]


def run_finetuning(plan: Plan, out: Path, watch: Watch | None = None) -> Outcome:
    """Trains, blends with the start, writes the recognizer (adapters merged) to `out` as a checkpoint, and compares.

    With LoRA, `out/adapter` holds what was trained alone, to be put on `plan.model`. Ctrl-C while training ends it
    early: what is trained by then is kept and compared.
    """
    watch = watch or unwatched
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
    parts = [range(len(plan.general))[first : first + _AT_ONCE] for first in range(0, len(plan.general), _AT_ONCE)]
    sets = {
        "held-out": [plan.held_out[i] for i in range(len(plan.held_out))],
        "general": [sample for part in watch(parts, len(parts), "general words") for sample in plan.general.many(part)],
    }
    before, after = (
        {name: read_words(one, samples, f"{name} {when}", cross, watch) for name, samples in sets.items()}
        for one, when in ((plan.model, "before"), (model, "after"))
    )
    report = _compare(plan, before, after)
    rule = _protocol(model.cfg.charset)
    pairs = list(zip(before["held-out"], after["held-out"], strict=True))
    gained = sum(not is_right(a, rule) and is_right(b, rule) for a, b in pairs)
    lost = sum(is_right(a, rule) and not is_right(b, rule) for a, b in pairs)
    return Outcome(model, steps, report, rule, gained, lost, facts)


def _protocol(charset: Charset) -> Protocol:
    return Protocol("all", charset, keep_empty=True, summary="all characters of the model, case counts")


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


def _compare(plan: Plan, before: dict[str, list[Record]], after: dict[str, list[Record]]) -> Report:
    rule = _protocol(plan.model.cfg.charset)
    scores: list[Score] = []
    for name in before:
        scores += [score(records[name], rule) for records in (before, after)]
    if plan.new:
        for records, when in ((before, "before"), (after, "after")):
            having = [r for r in records["held-out"] if set(rule.label(r.label)) & set(plan.new)]
            scores.append(score(having, rule, f"held-out with new characters {when}"))
    return Report(plan.start.name, {"tower": plan.tower}, scores, (), [*after["held-out"], *after["general"]])
