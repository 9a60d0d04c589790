"""Plans a fine-tuning: which words there are, which characters are new, what trains."""

import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wordsight.data import Source, View, filter_labels, holdout, open_source, subset
from wordsight.data.mixing import RotatedTall
from wordsight.data.near_duplicates import digest
from wordsight.errors import ConfigError, DataError
from wordsight.models import checkpoint
from wordsight.models.charset import with_charset
from wordsight.models.clip4str import Clip4Str
from wordsight.models.peft import merge_peft
from wordsight.models.ppocr import Svtr
from wordsight.synth.words import RenderedWords
from wordsight.text import Charset

Trained = Literal["frozen", "lora", "full"]
Tower = Literal["auto"] | Trained
Watch = Callable[[Iterable[Any], int, str], Iterator[Any]]
"""Passes items on and shows how many of how many have passed, under a name: `wordsight.cli.progress.progress`."""

LEAST_WORDS = 10
LORA_FROM = 100
"""Training words from which the towers get LoRA, or an SVTR trains as a whole; with fewer only what decodes trains."""
LR = {"clip4str": 5e-4, "svtr": 5e-5}
"""Peak learning rates by architecture, for compact models. `latin` itself was trained at 4e-5 to 7e-5."""
FEW = 20
"""Training words with a new character below which a warning says so."""
GENERAL_WORDS = 300
_GENERAL_SEED = 7_341  # of the general set; replay is rendered with another


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults are for compact models, and take a few minutes on one CPU core.

    Attributes:
        tower: "frozen": decoders and heads train (of an SVTR: all but the convolutions). "lora": low-rank updates of
            both towers of a CLIP4STR, too. "full": everything. "auto": LoRA, or of an SVTR everything, from `LORA_FROM`
            training words on.
        steps: optimiser steps.
        batch_size: crops of each step.
        replay_share: share of rendered words in them.
        lr: peak learning rate; up over the first tenth of the steps, to 0 over the second half. None: that of `LR`.
        blend: share of the trained weights in the result. With 0.6 instead of 1, 46 instead of 49 of 60 held-out words
            were right, and 159 instead of 148 of 200 other real words, of which the start read 168.
        valid_share: the last part of the user's words, for reading before and after: never trained on.
        workers: processes that render and read.
        seed: decides rendering, augmentation and order.
        fonts: folders of fonts for rendered words; none: the system's.
    """

    tower: Tower = "auto"
    steps: int = 200
    batch_size: int = 32
    replay_share: float = 0.5
    lr: float | None = None
    blend: float = 0.6
    valid_share: float = 0.2
    workers: int = 0
    seed: int = 0
    fonts: Sequence[Path] = ()


@dataclass(frozen=True)
class Plan:
    """What will be trained, and on what.

    Attributes:
        start: the checkpoint folder.
        model: its recognizer, plain, already with the new characters.
        about: what its folder says about it.
        new: characters of the words that it did not know.
        tower: "frozen", "lora" or "full".
        training, held_out: the user's words, tall ones turned.
        general: words of another kind, on which forgetting shows.
        left_out: reason -> number of the user's words that cannot be used.
        remarks: sentences for the user.
    """

    start: Path
    model: Clip4Str | Svtr
    about: dict[str, Any]
    new: str
    tower: Trained
    training: Source
    held_out: Source
    general: View
    left_out: dict[str, int]
    remarks: list[str]
    settings: Settings

    @property
    def cross(self) -> bool:
        """Whether the model's cross-modal branch is trained: then it is trained on, and used."""
        return bool(self.about.get("cross", True))


def unwatched(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    """Passes items on without showing progress."""
    return iter(items)


def plan_finetuning(
    start: Path, words: Path, settings: Settings, general: Path | None = None, watch: Watch = unwatched
) -> Plan:
    """Opens the model and the words, extends the charset, sets words aside.

    Raises:
        ModelError: `start` is no checkpoint folder.
        DataError: the words cannot be read, or are too few.
        ConfigError: the model cannot be fine-tuned, or a setting is out of range.
    """
    if not (0 < settings.valid_share < 1 and 0 <= settings.replay_share < 1 and 0 < settings.blend <= 1):
        raise ConfigError("the shares of held-out words, rendered words and trained weights must lie between 0 and 1")
    model, about = checkpoint.load(start)
    if not isinstance(model, Clip4Str | Svtr):
        raise ConfigError(f"{start} holds a {model.architecture}: fine-tuning is for clip4str and svtr recognizers")
    if isinstance(model, Svtr) and (settings.tower == "lora" or model.clipter is not None):
        raise ConfigError("LoRA and CLIPTER are for clip4str recognizers, this is an svtr: choose frozen or full")
    merge_peft(model)
    known = model.cfg.charset
    source = open_source(words)
    charset = grown_charset(known, [source.text(i) for i in range(len(source))])
    if charset != known:
        model = with_charset(model, charset)
    usable, left_out = filter_labels(source, charset, model.cfg.max_length)
    hashes = _hashes(usable, watch)
    left_out["unreadable"] = len(usable) - len(hashes)
    usable = View(usable, list(hashes))
    if len(usable) < LEAST_WORDS:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "none left out"
        raise DataError(f"{words}: {len(usable)} usable words ({reasons}): at least {LEAST_WORDS} are needed")
    training, held_out = (RotatedTall(part) for part in holdout(usable, settings.valid_share))
    if not len(training) or not len(held_out):
        raise ConfigError(f"valid share {settings.valid_share} leaves nothing to train on or to hold out: change it")
    new = "".join(c for c in charset.characters if c not in known.characters)
    many: Trained = "full" if isinstance(model, Svtr) else "lora"
    fitting: Trained = many if len(training) >= LORA_FROM else "frozen"
    tower = fitting if settings.tower == "auto" else settings.tower
    unfiltered: Source
    if general:
        unfiltered = open_source(general)
    else:
        unfiltered = RenderedWords(2 * GENERAL_WORDS, _GENERAL_SEED, list(settings.fonts) or None)
    others, _ = filter_labels(unfiltered, charset, model.cfg.max_length)
    others = View(others, [i for i in range(len(others)) if not set(new) & set(others.text(i))])
    if not len(others):
        raise DataError(f"{general}: no word without new characters to measure forgetting on: give other words")
    return Plan(
        start,
        model,
        about,
        new,
        tower,
        training,
        held_out,
        others if general else subset(others, 0, GENERAL_WORDS),
        {reason: count for reason, count in left_out.items() if count},
        _remarks(new, training, held_out, list(hashes.values())),
        settings,
    )


def grown_charset(known: Charset, labels: Iterable[str]) -> Charset:
    """`known` and after it the characters that occur in `labels` besides (NFC; white space counts as a space)."""
    found = {c for label in labels for c in unicodedata.normalize("NFC", " ".join(label.split()))}
    new = "".join(sorted(found - set(known.characters)))
    return Charset(f"{known.name}+{len(new)}", known.characters + new) if new else known


def _hashes(words: View, watch: Watch) -> dict[int, bytes]:
    """Hashes of the pixels of the words that can be read, by their numbers."""
    hashes = {}
    for i in watch(range(len(words)), len(words), "looking at words"):
        try:
            hashes[i] = digest(words[i].image)
        except DataError as error:
            logging.getLogger(__name__).warning("left out: %s", error)
    return hashes


def _remarks(new: str, training: Source, held_out: Source, hashes: Sequence[bytes]) -> list[str]:
    remarks = []
    texts = [training.text(i) for i in range(len(training))]
    counts = Counter(c for text in texts for c in set(text))
    for c in new:
        if counts[c] < FEW:
            remarks.append(f"{c!r} occurs in {counts[c]} training words: {FEW} or more are better")
    unseen = {c for i in range(len(held_out)) for c in held_out.text(i)} - set("".join(texts))
    if unseen:
        remarks.append(f"only held-out words have {', '.join(map(repr, sorted(unseen)))}: mix the order of the files")
    shared = len(set(hashes[: len(training)]) & set(hashes[len(training) :]))
    if shared:
        remarks.append(f"{shared} held-out pictures are in the training part too: their score says little")
    return remarks
