"""Reading under a constraint: free where the free reading is allowed, else once more with the rule inside decoding."""

import math
from dataclasses import replace

import numpy as np

from wordsight.decoding import passes
from wordsight.decoding.graphs import Floats, PsmGraphs, Seen
from wordsight.decoding.passes import Branch
from wordsight.decoding.psm import Decoded, Mode, PsmSpec, check_mode, decode_seen
from wordsight.decoding.readings import Reading, reading
from wordsight.decoding.rules import OUTSIDE, Rule
from wordsight.text import Constraint


def read_constrained(
    graphs: PsmGraphs,
    images: Floats,
    spec: PsmSpec,
    constraint: Constraint,
    *,
    mode: Mode = "full",
    refine_iters: int = 1,
    temperature: float = 1.0,
    alternatives: int = 3,
) -> list[Reading]:
    """`read_psm` of what `constraint` allows.

    Greedy steps choose among the characters from which an allowed text can still be reached; a first draft and
    refinements, which read all positions at once, are the allowed text that gives up least (`Rule.jointly`).
    Probabilities are those among what was allowed. `Reading.outside` compares the visual decoder's likelihoods of the
    allowed text and of the free reading; what is outside has its confidence lowered by as much as they differ.

    Raises:
        ConfigError: there is no such mode, or all that is allowed is longer than the recognizer can write.
    """
    check_mode(mode, refine_iters)
    rule = Rule(constraint, spec.tokenizer.eos, spec.max_length)
    if not len(images):
        return []
    seen = graphs.image(images)

    def finish(decoded: Decoded) -> list[Reading]:
        return [reading(x, spec.tokenizer, temperature=temperature, alternatives=alternatives) for x in decoded.logits]

    free = finish(decode_seen(graphs, seen, spec, mode=mode, refine_iters=refine_iters))
    said = [spec.tokenizer.ids(one.text) for one in free]
    rows = np.array([i for i, ids in enumerate(said) if not constraint.accepts(ids)], np.int64)
    if not len(rows):
        return free
    some = Seen(seen.visual[rows], None if seen.cross is None else seen.cross[rows])
    found = finish(decode_seen(graphs, some, spec, mode=mode, refine_iters=refine_iters, rule=rule))
    branch = Branch(graphs.visual, some.visual, spec.tokenizer)
    # A free reading that never ends has one character more than can be followed by [E]
    freely = passes.likelihood(branch, [said[i][: spec.max_length] for i in rows])
    allowed = passes.likelihood(branch, [spec.tokenizer.ids(one.text) for one in found])
    for i, one, gap in zip(rows, found, freely - allowed, strict=True):
        if gap > math.log(OUTSIDE):
            lowered = one.confidence * math.exp(-gap)
            one = replace(one, outside=True, confidence=lowered, free_confidence=free[i].confidence)
        free[i] = one
    return free
