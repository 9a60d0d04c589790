"""Greedy autoregressive decoding of PARSeq and CLIP4STR in a few parallel passes, and its shorter relatives.

CLIP4STR's dual predict-and-refine decoding predicts a word step by step in each branch, then refines both. Here the
steps are passes over a draft (`draft_verify`). They give the same tokens as the models' `generate`, which goes step by
step; tests compare the two.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from wordsight.decoding import draft_verify
from wordsight.decoding.arrays import KV, Floats
from wordsight.decoding.context import AnyContext
from wordsight.decoding.draft_verify import Branch
from wordsight.decoding.graphs import Engine, PsmGraphs, Seen, Spec
from wordsight.decoding.kind import Kind, Mode, Settings, check_mode
from wordsight.decoding.logits_constraint import OUTSIDE, LogitsConstraint, log_softmax
from wordsight.decoding.memory import CrossMemory
from wordsight.decoding.readings import Reading, reading
from wordsight.decoding.signature import Graph, Shape
from wordsight.decoding.spelling import corrected
from wordsight.errors import ConfigError
from wordsight.text import CharTokenizer

SURE = 0.95
"""In adaptive mode, the mean probability of a character from which the cross-modal branch is left out.

Of 767 held-out training words clip4str-tiny was so sure of 580. In full mode it read one of them differently, wrongly.
Leaving out the refinement of sure words, too, saved one in 3.6 passes of its decoder and cost two of these words.
"""


@dataclass(frozen=True)
class Passes:
    """How often each graph ran for a batch, though not for rows that were finished."""

    visual: int
    cross: int
    text: int

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(self.visual + other.visual, self.cross + other.cross, self.text + other.text)


@dataclass(frozen=True)
class Decoded:
    """Final logits of every row, (length + 1, C + 1) each: its characters and [E]."""

    logits: list[Floats]
    passes: Passes


def read_psm(
    graphs: PsmGraphs,
    images: Floats,
    spec: Spec,
    settings: Settings = Settings(),  # noqa: B008 frozen
) -> list[Reading]:
    """Reads images (B, 3, H, W). The reading of a row does not depend on the other rows.

    Args:
        graphs: The recognizer's parts.
        images: Prepared crops.
        spec: The rest of the recognizer.
        settings: How. Modes are "full": greedy, by both branches. "adaptive": the same, but the cross-modal branch
            reads only what the visual one is not sure of. "visual": greedy, by the visual branch alone. "parallel":
            each branch in one pass, the visual one without any context, the cross-modal one with the visual prediction
            as context.

    Raises:
        ConfigError: there is no such mode, or all that is allowed is longer than the recognizer can write.
    """
    check_mode(settings.mode, settings.refinements)
    ids, constraint, allowed = spec.tokenizer, settings.constraint, None
    if constraint is not None:
        allowed = LogitsConstraint(constraint, ids.eos, spec.max_length)
    if not len(images):
        return []
    seen = graphs.image(images)
    decoded = decode_seen(graphs, seen, spec, mode=settings.mode, refine_iters=settings.refinements)
    readings = [reading(x, ids, temperature=settings.temperature) for x in decoded.logits]
    if allowed is not None:
        return _constrained(graphs, seen, readings, spec, settings, allowed)
    if settings.dictionary is None:
        return readings
    return corrected(graphs, seen, readings, settings.dictionary, ids, spec.max_length)


def decode_psm(
    graphs: PsmGraphs,
    images: Floats,
    spec: Spec,
    *,
    mode: Mode = "full",
    refine_iters: int = 1,
    whole: bool = False,
) -> Decoded:
    """`read_psm` down to the logits.

    `whole` gives the logits of all `max_length + 1` positions, also after [E], for a loss; it needs a refinement.
    """
    check_mode(mode, refine_iters)
    if whole and not refine_iters:
        raise ConfigError("the logits of all positions come from a refinement: request at least one")
    if len(images) == 0:
        return Decoded([], Passes(0, 0, 0))
    return decode_seen(graphs, graphs.image(images), spec, mode=mode, refine_iters=refine_iters, whole=whole)


def decode_seen(
    graphs: PsmGraphs,
    seen: Seen,
    spec: Spec,
    *,
    mode: Mode,
    refine_iters: int,
    whole: bool = False,
    allowed: LogitsConstraint | None = None,
) -> Decoded:
    """`decode_psm` given what the image graph computed; `allowed` is what may be written."""
    rows, positions, eos = len(seen.visual), spec.max_length + 1, spec.tokenizer.eos
    visual, kv_cross = Branch(graphs.visual, seen.visual, spec.tokenizer, allowed=allowed), seen.cross
    if mode == "parallel":
        found = [draft_verify.cut(x, eos) for x in draft_verify.first(visual, rows, positions)]
    else:
        found = draft_verify.greedy(visual, rows, positions, seen.columns)
    alone = mode == "visual" or kv_cross is None
    drafts = [found]
    for i in range(refine_iters):
        drafts.append(draft_verify.refine(visual, drafts[-1], positions, whole and alone and i + 1 == refine_iters))
    final, count = drafts[-1], Passes(visual.passes, 0, 0)
    if kv_cross is None or alone:
        return Decoded(final, count)
    checked = np.arange(rows)
    # Under a constraint even what is wrong looks sure; a loss is that of the whole model
    if mode == "adaptive" and allowed is None and not whole:
        checked = np.array([i for i, x in enumerate(final) if _mean_probability(x) < SURE], np.int64)
        if not len(checked):
            return Decoded(final, count)
        kv_cross, drafts = kv_cross[checked], [[draft[row] for row in checked] for draft in drafts]
    crossed, more = _cross_modal(graphs, kv_cross, drafts, spec, mode=mode, whole=whole, allowed=allowed)
    for row, logits in zip(checked, crossed, strict=True):
        final[row] = logits
    return Decoded(final, count + more)


def _cross_modal(
    graphs: PsmGraphs,
    kv: KV,
    drafts: list[list[Floats]],
    spec: Spec,
    *,
    mode: Mode,
    whole: bool,
    allowed: LogitsConstraint | None,
) -> tuple[list[Floats], Passes]:
    """The cross-modal branch, given the visual branch's predictions: `drafts`, a greedy one and its refinements."""
    if spec.captions is None:
        raise ConfigError("this recognizer has a cross-modal branch: give its captions")
    positions = spec.max_length + 1
    first, *refined = drafts
    memory = CrossMemory(graphs, kv, spec.captions)
    memory.tell(texts(first, spec.tokenizer))
    cross = Branch(graphs.cross, memory.kv, spec.tokenizer, memory.mask, allowed=allowed)
    draft = draft_verify.ids(first, positions, spec.tokenizer.eos)
    # What one pass makes of a draft need not be allowed as a whole
    found = draft_verify.verify(
        cross, draft, _limits(spec, first, allowed), once=mode == "parallel" and allowed is None
    )
    for i, visually in enumerate(refined, 1):
        if memory.tell(texts(visually, spec.tokenizer)):
            cross.kv, cross.memory_mask = memory.kv, memory.mask
        found = draft_verify.refine(cross, found, positions, whole and i == len(refined))
    return found, Passes(0, cross.passes, memory.passes)


def _mean_probability(logits: Floats) -> float:
    """The geometric mean of the probabilities of the likeliest classes of logits (P, C + 1)."""
    return float(np.exp(log_softmax(logits).max(axis=1).mean()))


def _limits(spec: Spec, visual: list[Floats], allowed: LogitsConstraint | None) -> npt.NDArray[np.int64]:
    """Positions (B,) that the cross-modal branch may predict, given the visual prediction.

    Under a constraint as many as it takes to come to an allowed end.
    """
    if spec.cross_steps == "visual" and allowed is None:
        return np.array([len(x) for x in visual])
    most = spec.max_length + 1
    return np.full(
        len(visual), min(spec.cross_steps, most) if isinstance(spec.cross_steps, int) and allowed is None else most
    )


def texts(logits: list[Floats], tokenizer: CharTokenizer) -> list[str]:
    """What logits spell."""
    return [tokenizer.decode(x.argmax(axis=1).tolist()) for x in logits]


def _constrained(
    graphs: PsmGraphs,
    seen: Seen,
    free: list[Reading],
    spec: Spec,
    settings: Settings,
    allowed: LogitsConstraint,
) -> list[Reading]:
    """Readings of what is allowed, `free` being those of anything.

    Greedy steps choose among the characters from which an allowed text can still be reached; a first draft and
    refinements, which read all positions at once, are the allowed text that gives up least
    (`LogitsConstraint.jointly`). Probabilities are those among what was allowed. `Reading.outside` compares the visual
    decoder's likelihoods of the allowed text and of the free reading; what is outside has its confidence lowered by as
    much as they differ.
    """
    ids = spec.tokenizer
    said = [ids.ids(one.text) for one in free]
    rows = np.array([i for i, text in enumerate(said) if not allowed.constraint.accepts(text)], np.int64)
    if not len(rows):
        return free
    some = Seen(seen.visual[rows], None if seen.cross is None else seen.cross[rows])
    decoded = decode_seen(graphs, some, spec, mode=settings.mode, refine_iters=settings.refinements, allowed=allowed)
    found = [reading(x, ids, temperature=settings.temperature) for x in decoded.logits]
    branch = Branch(graphs.visual, some.visual, ids)
    # A free reading that never ends has one character more than can be followed by [E]
    freely = draft_verify.likelihood(branch, [said[i][: spec.max_length] for i in rows])
    narrowly = draft_verify.likelihood(branch, [ids.ids(one.text) for one in found])
    out = list(free)
    for i, one, gap in zip(rows, found, freely - narrowly, strict=True):
        if gap > math.log(OUTSIDE):
            lowered = one.confidence * math.exp(-gap)
            one = replace(one, outside=True, confidence=lowered, free_confidence=free[i].confidence)
        out[i] = one
    return out


class Psm(Kind):
    """Recognizers that learn by permuted sequence modelling: PARSeq and CLIP4STR.

    `image` gives the keys and values of an image, `visual` logits given part of the text. With a cross-modal branch,
    `text` gives the keys and values of a caption, and `cross` logits given both.
    """

    name = "psm"
    refinements = 1
    made = "K/V of shape (batch, depth, 2, tokens, width)"
    has_modes = constrains = has_margins = True

    def signature(
        self, images: Shape, classes: int, positions: int, made: Mapping[str, Sequence[Shape]]
    ) -> dict[str, Graph]:
        """See `Kind`. `columns` are those of a CTC head."""
        kv: Shape
        kv, *more = made["image"]
        _, depth, _, memory, width = kv
        kv = ("batch", depth, 2, memory, width)
        query: dict[str, Shape] = {"tokens": ("batch", "length"), "kv": kv, "mask": ("batch", "length", "length")}
        logits: dict[str, Shape] = {"logits": ("batch", "length", classes)}
        seen: dict[str, Shape] = {"kv_visual": kv}
        graphs = {"visual": Graph("visual.onnx", query, logits)}
        if "text" in made:
            (*_, tokens, wide), *_ = made["text"]
            text: Shape = ("batch", depth, 2, 1 if tokens == 1 else "text", wide)  # one, of pooled towers
            both = query | {"kv": ("batch", depth, 2, "memory", wide), "memory_mask": ("batch", "memory")}
            seen["kv_cross_image"] = ("batch", depth, 2, memory, wide)
            graphs["text"] = Graph("text.onnx", {"tokens": ("batch", "text")}, {"kv_cross_text": text})
            graphs["cross"] = Graph("cross.onnx", both, logits)
        for columns in (shape[1] for shape in more if len(shape) == 2):
            seen["columns"] = ("batch", columns)
        return {"image": Graph("image.onnx", {"image": images}, seen), **graphs}

    def measure(self, engine: Engine, images: Floats) -> dict[str, Sequence[Shape]]:
        """See `Kind`."""
        made = super().measure(engine, images)
        if "text" in engine.graphs:
            made["text"] = [array.shape for array in engine.run("text", np.ones((1, 4), np.int64))]
        return made

    def read(
        self, engine: Engine, images: Floats, spec: Spec, settings: Settings, context: AnyContext = None
    ) -> list[Reading]:
        """See `Kind` and `read_psm`."""
        return read_psm(PsmGraphs(engine, context), images, spec, settings)


PSM = Psm()
