"""All kinds of decoding by name."""

from wordsight.decoding.autoregressive import AUTOREGRESSIVE
from wordsight.decoding.ctc import CTC
from wordsight.decoding.iterative import ITERATIVE
from wordsight.decoding.kind import Kind
from wordsight.decoding.one_shot import ONE_SHOT
from wordsight.decoding.psm import PSM

KINDS: dict[str, Kind] = {kind.name: kind for kind in (PSM, CTC, AUTOREGRESSIVE, ONE_SHOT, ITERATIVE)}
"""By their names in packs, including those of older packs."""

KINDS |= {"recurrent": AUTOREGRESSIVE, "parallel": ONE_SHOT}
