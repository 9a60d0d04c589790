"""A doubtful text whose word is in no dictionary, read as the known word that the picture shows most likely."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from wordsight.decoding import draft_verify
from wordsight.decoding.draft_verify import Branch
from wordsight.decoding.graphs import PsmGraphs, Seen
from wordsight.decoding.readings import Reading, characters
from wordsight.text import CharTokenizer, Dictionary

LIKELIER = 20.0
"""So many times likelier than other strings known words are before one has looked.

Right of 767 held-out training words and of 600 rendered ones, of which it knows 71 and 46 % (the visual branch of a
compact CLIP4STR): 86.2 and 74.2 % without a dictionary, 87.9 and 76.7 % with 10 here, 88.1 and 77.2 % with 20, 88.1 and
77.3 % with 30.
"""

_SURE = 0.98
"""Mean probability of a character from which a text stays as it is read, known or not (0.95: 87.6 and 76.8 %)."""

_WORD = re.compile(r"[^\W_](?:[^\W_]|['&](?=[^\W_]))+")
_ADDRESS = re.compile(r"\w@\w|://|^www\.")
_SMALL = str.maketrans("CIOSUVWXZ", "closuvwxz")  # what capitals look like


def corrected(
    graphs: PsmGraphs,
    seen: Seen,
    readings: Sequence[Reading],
    dictionary: Dictionary,
    tokenizer: CharTokenizer,
    max_length: int,
) -> list[Reading]:
    """Readings with unknown words replaced by known ones where the picture does not speak against that.

    The visual decoder says how likely each text is, step by step; a known word counts `LIKELIER` times. At most one
    word of a text is replaced. The new text has its share among those compared as confidence, `free_confidence` is that
    of the old one.

    Args:
        graphs: The recognizer's parts.
        seen: What its look at the images left.
        readings: Of these images, one for each.
        dictionary: The known words.
        tokenizer: Of the decoder.
        max_length: Characters that it can write.
    """
    found = list(readings)
    texts = {
        i: [one.text, *others]
        for i, one in enumerate(found)
        if (others := [x for x in other_texts(one, dictionary) if _writes(x, tokenizer, max_length)])
    }
    if not texts:
        return found
    rows = np.array([i for i, each in texts.items() for _ in each])
    branch = Branch(graphs.visual, seen.visual[rows], tokenizer)
    written = [tokenizer.ids(text)[:max_length] for each in texts.values() for text in each]
    logs = iter(zip(written, draft_verify.teacher_forced(branch, written), strict=True))
    for i, each in texts.items():
        found[i] = _likeliest(found[i], each, [next(logs) for _ in each], tokenizer)
    return found


def other_texts(reading: Reading, dictionary: Dictionary) -> Iterator[str]:
    """What a doubtful text may be instead: an unknown word, mostly of letters, replaced by a known one like it.

    Addresses are written in small letters: one may also be itself, without the capitals that look like these.
    """
    text = reading.text
    if not text or reading.confidence > _SURE ** (len(text) + 1):
        return
    small = text.translate(_SMALL)
    if small != text and small.islower() and _ADDRESS.search(text):
        yield small
    for match in _WORD.finditer(text):
        word = match[0]
        if len(word) >= 3 and 2 * sum(map(str.isalpha, word)) >= len(word) and word not in dictionary:
            for other in dictionary.near(word):
                yield text[: match.start()] + other + text[match.end() :]


def _writes(text: str, tokenizer: CharTokenizer, max_length: int) -> bool:
    return len(text) <= max_length and not tokenizer.charset.unknown(text)


def _likeliest(
    reading: Reading,
    texts: Sequence[str],
    logs: Sequence[tuple[list[int], npt.NDArray[np.float64]]],
    tokenizer: CharTokenizer,
) -> Reading:
    """`reading`, whose text is the first of these, or the known one that is likelier.

    `logs`: of each text its ids (L,) and the log-probabilities (L + 1, C + 1) of all classes, step by step.
    """
    steps = [log[np.arange(len(log)), [*ids, tokenizer.eos]] for ids, log in logs]
    likely = np.exp([step.sum() for step in steps])
    weights = likely * np.where(np.arange(len(texts)) > 0, LIKELIER, 1.0)
    best = int(weights.argmax())
    if best == 0:
        return reading
    share = float(weights[best] / (weights.sum() + max(0.0, 1 - likely.sum())))  # the rest: all that was not compared
    ids, log = logs[best]
    # Characters are as much likelier, each in proportion, as the whole word is
    step = steps[best][:-1]
    power = min(1.0, np.log(share) / min(float(steps[best].sum()), -1e-9))
    chosen, found = np.exp(step * power), np.exp(log[:-1])
    found *= ((1 - chosen) / np.maximum(1 - np.exp(step), 1e-9))[:, None]
    found[np.arange(len(ids)), ids] = chosen
    chars = characters(found, tokenizer, ids)
    return replace(reading, text=texts[best], confidence=share, chars=chars, free_confidence=reading.confidence)
