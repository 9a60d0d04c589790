"""Greedy autoregressive decoding of PARSeq and CLIP4STR in a few parallel passes, and its shorter relatives.

CLIP4STR (section 3, 'dual predict-and-refine') writes a word step by step, twice, then refines both. Here the steps are
one pass over a draft (`passes`). Step by step and draft and verify give the same tokens; the tests hold them side by
side.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from wordsight.decoding import passes
from wordsight.decoding.graphs import KV, Floats, PsmGraphs, Seen
from wordsight.decoding.memory import CrossMemory
from wordsight.decoding.passes import Branch
from wordsight.decoding.readings import Reading, reading
from wordsight.decoding.rules import Rule, log_softmax
from wordsight.decoding.spelling import corrected
from wordsight.errors import ConfigError
from wordsight.text import Captions, CharTokenizer, Dictionary

Mode: TypeAlias = Literal["adaptive", "full", "visual", "parallel"]

SURE = 0.95
"""Mean probability of a character from which the visual branch needs no spell checker, where it reads adaptively.

Of 767 held-out training words clip4str-tiny was so sure of 580. In full mode it read one of them otherwise, wrongly.
To leave out the refinement of what is sure, too, saved one in 3.6 calls of its decoder and cost two of these words.
"""


@dataclass(frozen=True)
class PsmSpec:
    """What decoding has to know of a recognizer besides its graphs.

    Attributes:
        tokenizer: of the decoders.
        max_length: characters that it was trained to write at most.
        captions: what its text tower is told; None where there is no cross-modal branch.
        cross_steps: positions that the cross-modal branch writes before it is refined. "own": up to its own [E].
            "visual": at most as many as the visual branch of the same row, as the released CLIP4STR does with one
            image. A number: at most so many, as it does in a batch whose longest word took so many.
    """

    tokenizer: CharTokenizer
    max_length: int
    captions: Captions | None = None
    cross_steps: Literal["own", "visual"] | int = "own"


@dataclass(frozen=True)
class Passes:
    """How often each graph ran for a batch; rows that were finished had left by then."""

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
    spec: PsmSpec,
    *,
    mode: Mode = "full",
    refine_iters: int = 1,
    temperature: float = 1.0,
    alternatives: int = 3,
    dictionary: Dictionary | None = None,
) -> tuple[list[Reading], Passes]:
    """Reads images (B, 3, H, W); what a row reads does not depend on the other rows.

    Args:
        graphs: The recognizer's parts.
        images: Prepared crops.
        spec: The rest of the recognizer.
        mode: "full": greedy, by both branches. "adaptive": like it, but the cross-modal branch reads only what the
            visual one is not sure of. "visual": greedy, by the visual branch alone. "parallel": each branch in one
            pass: the visual one with no character known, the cross-modal one with the visual reading as context.
        refine_iters: Cloze refinements of each branch after that (1 in the paper).
        temperature: Divides the logits before the softmax of the probabilities.
        alternatives: How many other characters to report per position.
        dictionary: Words that are likelier than others where the reading is doubtful, see `corrected`.

    Raises:
        ConfigError: there is no such mode.
    """
    check_mode(mode, refine_iters)
    if not len(images):
        return [], Passes(0, 0, 0)
    seen, ids = graphs.image(images), spec.tokenizer
    decoded = decode_seen(graphs, seen, spec, mode=mode, refine_iters=refine_iters)
    readings = [reading(x, ids, temperature=temperature, alternatives=alternatives) for x in decoded.logits]
    if dictionary is None:
        return readings, decoded.passes
    readings, more = corrected(graphs, seen, readings, dictionary, ids, spec.max_length)
    return readings, decoded.passes + Passes(more, 0, 0)


def decode_psm(
    graphs: PsmGraphs,
    images: Floats,
    spec: PsmSpec,
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
    spec: PsmSpec,
    *,
    mode: Mode,
    refine_iters: int,
    whole: bool = False,
    rule: Rule | None = None,
) -> Decoded:
    """`decode_psm` of images that have been looked at; `rule` is what may be written."""
    rows, positions, eos = len(seen.visual), spec.max_length + 1, spec.tokenizer.eos
    visual, kv_cross = Branch(graphs.visual, seen.visual, spec.tokenizer, rule=rule), seen.cross
    if mode == "parallel":
        found = [passes.cut(x, eos) for x in passes.first(visual, rows, positions)]
    else:
        found = passes.greedy(visual, rows, positions, seen.columns)
    alone = mode == "visual" or kv_cross is None
    drafts = [found]
    for i in range(refine_iters):
        drafts.append(passes.refine(visual, drafts[-1], positions, whole and alone and i + 1 == refine_iters))
    final, count = drafts[-1], Passes(visual.passes, 0, 0)
    if kv_cross is None or alone:
        return Decoded(final, count)
    checked = np.arange(rows)
    # Under a rule even what is wrong looks sure; a loss is that of the whole model
    if mode == "adaptive" and rule is None and not whole:
        checked = np.array([i for i, x in enumerate(final) if _mean_probability(x) < SURE], np.int64)
        if not len(checked):
            return Decoded(final, count)
        kv_cross, drafts = kv_cross[checked], [[draft[row] for row in checked] for draft in drafts]
    crossed, more = _cross_modal(graphs, kv_cross, drafts, spec, mode=mode, whole=whole, rule=rule)
    for row, logits in zip(checked, crossed, strict=True):
        final[row] = logits
    return Decoded(final, count + more)


def _cross_modal(
    graphs: PsmGraphs, kv: KV, drafts: list[list[Floats]], spec: PsmSpec, *, mode: Mode, whole: bool, rule: Rule | None
) -> tuple[list[Floats], Passes]:
    """What the cross-modal branch makes of what the visual one read: `drafts`, a greedy reading and its refinements."""
    if spec.captions is None:
        raise ConfigError("this recognizer has a cross-modal branch: give its captions")
    positions = spec.max_length + 1
    first, *refined = drafts
    memory = CrossMemory(graphs, kv, spec.captions)
    memory.tell(texts(first, spec.tokenizer))
    cross = Branch(graphs.cross, memory.kv, spec.tokenizer, memory.mask, rule=rule)
    draft = passes.ids(first, positions, spec.tokenizer.eos)
    # What one pass makes of a draft need not be allowed as a whole
    found = passes.verify(cross, draft, _limits(spec, first, rule), once=mode == "parallel" and rule is None)
    for i, visually in enumerate(refined, 1):
        if memory.tell(texts(visually, spec.tokenizer)):
            cross.memory = memory.kv, memory.mask
        found = passes.refine(cross, found, positions, whole and i == len(refined))
    return found, Passes(0, cross.passes, memory.passes)


def _mean_probability(logits: Floats) -> float:
    """Of the likeliest classes of logits (P, C + 1), the geometric mean."""
    return float(np.exp(log_softmax(logits).max(axis=1).mean()))


def _limits(spec: PsmSpec, visual: list[Floats], rule: Rule | None) -> npt.NDArray[np.int64]:
    """Positions (B,) that the cross-modal branch may write, given what the visual branch wrote.

    Under a rule as many as it takes to come to an allowed end.
    """
    if spec.cross_steps == "visual" and rule is None:
        return np.array([len(x) for x in visual])
    most = spec.max_length + 1
    return np.full(
        len(visual), min(spec.cross_steps, most) if isinstance(spec.cross_steps, int) and rule is None else most
    )


def check_mode(mode: str, refine_iters: int) -> None:
    """Refuse what cannot be decoded by.

    Raises:
        ConfigError: saying what can.
    """
    if mode not in get_args(Mode):
        raise ConfigError(f"there is no mode {mode!r}: choose one of {', '.join(get_args(Mode))}")
    if refine_iters < 0:
        raise ConfigError(f"refinements cannot be {refine_iters}: choose 0 or more")


def texts(logits: list[Floats], tokenizer: CharTokenizer) -> list[str]:
    """What logits spell."""
    return [tokenizer.decode(x.argmax(axis=1).tolist()) for x in logits]
