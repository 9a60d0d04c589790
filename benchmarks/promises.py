"""Measures what a pack promises beside short upright words: lines, long words, turned or stacked text, silence.

    python benchmarks/promises.py [PACK] [--count 200] [--words DATA...] [--scenes SCENES] [--json FILE]

Each set is rendered in the system's fonts, `--count` crops by a fixed seed, not by what renders for training. --words
are training sets of crops, --scenes one of whole photographs; of both only the last tenth is read, which training held
out, so both must be what the pack was trained on, or nothing that it has seen. A text is right if it is equal ('exact':
case, punctuation and single spaces count) or if it is after folding to the 36 digits and letters, accents dropped.
"""

import argparse
import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from word_gaps import chains, photographed

from wordsight.data import Scene, filter_labels, holdout, open_source, read_scenes
from wordsight.errors import BoxError
from wordsight.imaging import rectify
from wordsight.reader import Reader
from wordsight.synth.background import Backgrounds
from wordsight.synth.export import free_boxes
from wordsight.synth.fonts import CAP_HEIGHT, FontBook, font_index
from wordsight.synth.lexicon import NAMES, SIGN_WORDS
from wordsight.synth.setting import set_line, stamp
from wordsight.synth.words import RenderedWords
from wordsight.text import Charset

Crop = NDArray[np.uint8]
Sample = tuple[Crop, str]

TURNS = (0, 90, 180, 270)
LENGTHS = ((1, 5), (6, 10), (11, 15), (16, 25), (26, 40))
HELD_OUT = 0.1  # of real words and scenes; as data.validation_share
TALL = 1.5  # height to width of a crop in which text may run up or down
LATIN = """
Café crêpe Hôtel élève français garçon Noël où château forêt août Bœuf naïve façade fenêtre théâtre Pâtisserie entrée
Straße Müller Öffnungszeiten Früchte Brötchen Gemüse Überholverbot Käse Bäckerei Schlüssel für Größe ÄRZTE GRÜN Fußweg
señor mañana niño ESPAÑA corazón jamón teléfono Perú café Ávila piñata Año camión MÚSICA último avión dirección público
São coração pão açúcar avó lições Câmara estação LEITÃO João Informações saída cão maçã irmãos Ônibus também português
Smörgås Köpenhamn Malmö Ærø Tromsø Gjøvik Åre Göteborg Ísland Þingvellir Sjávar rødgrød blåbær Højskole öppet kött
città perché caffè più università Gelatería virtù così là È Brücke ïambe Übung ÉCOLE PEÑA ÇA façon déjà vu Ýmir ÿ
""".split()  # noqa: SIM905
"""Words with letters of Latin-1; of the few with others (œ) those are left out."""


@dataclass(frozen=True)
class Row:
    """How one set was read; shares in per cent."""

    what: str
    kind: str
    n: int
    exact: float
    folded: float


# ---- rendered sets


class Painter:
    """Texts on surfaces, as `word_gaps` photographs them."""

    def __init__(self, seed: int) -> None:
        self.book, self.backgrounds, self.seed = FontBook(font_index(None)), Backgrounds(None), seed

    def samples(
        self, count: int, name: str, text: Callable[[random.Random], str], stacked: bool = False
    ) -> list[Sample]:
        """`count` of the texts that a function draws, a function of (seed, name) alone."""
        out: list[Sample] = []
        for number in range(10 * count):
            rng = random.Random(f"promises/{self.seed}/{name}/{number}")
            said = text(rng)
            mask = self.stack(rng, said) if stacked else self.line(rng, said)
            if mask is not None:
                pixels = rng.uniform(18, 48) * (len(said) if stacked else 1)
                out.append((photographed(rng, mask, pixels / mask.height, self.backgrounds), said))
            if len(out) == count:
                break
        return out

    def line(self, rng: random.Random, text: str) -> Image.Image | None:
        """A mask of a text; None where no face that was tried has all of its letters."""
        face = self.book.pick(rng, text)
        spacing = CAP_HEIGHT * rng.uniform(0, 0.2) if rng.random() < 0.3 else 0.0
        line = set_line(self.book, face, text, spacing)
        return None if line is None else _framed(rng, line.mask)

    def stack(self, rng: random.Random, text: str) -> Image.Image | None:
        """A mask with letters one below the other."""
        face = self.book.pick(rng, text)
        letters = [line.mask for c in text if (line := set_line(self.book, face, c)) is not None]
        if len(letters) < len(text):
            return None
        gap = round(CAP_HEIGHT * rng.uniform(0.12, 0.4))
        high = sum(mask.shape[0] for mask in letters) + gap * (len(letters) - 1)
        wide = max(mask.shape[1] for mask in letters)
        plane, y = np.zeros((high, wide), np.uint8), 0
        for mask in letters:
            stamp(plane, mask, (wide - mask.shape[1]) // 2, y)
            y += mask.shape[0] + gap
        return _framed(rng, plane)


def _framed(rng: random.Random, mask: Crop) -> Image.Image:
    """With a border as loose boxes have it."""
    margin = round(CAP_HEIGHT * rng.uniform(0.05, 0.3))
    return Image.fromarray(np.pad(mask, margin))


def word(rng: random.Random, shortest: int, longest: int) -> str:
    """A word, or several without a space, of a length in between; some are addresses."""
    wanted, text = rng.randint(shortest, longest), ""
    while len(text) < wanted:
        text += rng.choice(SIGN_WORDS if rng.random() < 0.7 else NAMES)
    if wanted > 12 and rng.random() < 0.4:
        end = rng.choice((".com", ".org", ".co.uk", ".de"))
        return (rng.choice(("www.", "info@", "")) + text.lower()).replace("'", "")[: wanted - len(end)] + end
    return _cased(rng, text[:wanted])


def line(rng: random.Random) -> str:
    """Two to five words with spaces, at most 40 characters."""
    words = rng.choices(SIGN_WORDS + NAMES, k=rng.randint(2, 5))
    while len(" ".join(words)) > 40:
        words.pop()
    return " ".join(_cased(rng, " ".join(words)).split())


def latin(rng: random.Random) -> str:
    """A word with at least one letter of Latin-1 beyond ASCII."""
    known = set(Charset.preset("latin").characters)
    return _cased(rng, rng.choice([each for each in LATIN if set(each) <= known and not each.isascii()]))


def _cased(rng: random.Random, text: str) -> str:
    form = rng.random()
    upper = text.upper() if len(text.upper()) == len(text) and "ÿ" not in text else text  # ß, and Ÿ is not Latin-1
    return upper if form < 0.4 else text.title() if form < 0.6 and "'" not in text else text


def rendered(count: int, seed: int) -> Iterator[tuple[str, list[Sample]]]:
    """All rendered sets."""
    painter = Painter(seed)
    for shortest, longest in LENGTHS:
        name = f"words of {shortest} to {longest} characters"
        yield name, painter.samples(count, name, lambda rng, a=shortest, b=longest: word(rng, a, b))  # type: ignore[misc]
    yield "lines of 2 to 5 words", painter.samples(count, "lines", line)
    upright = painter.samples(count, "turned", lambda rng: word(rng, 4, 10))
    for degrees in TURNS:
        yield f"turned by {degrees}", [(turned(crop, degrees), text) for crop, text in upright]
    yield "vertical stacks", painter.samples(count, "stacks", lambda rng: word(rng, 3, 8), stacked=True)
    yield "Latin-1 letters", painter.samples(count, "latin", latin)
    words = RenderedWords(seed=10_000 + seed)  # not a seed of training
    empty = itertools.islice((i for i in itertools.count() if not words.text(i)), count)
    yield "no text", [(words[i].image, "") for i in empty]


def turned(crop: Crop, degrees: int) -> Crop:
    """A crop turned counter-clockwise."""
    return np.ascontiguousarray(np.rot90(crop, degrees // 90))


# ---- real sets


def real(
    words: Sequence[Path], scenes: Path | None, count: int, charset: Charset
) -> Iterator[tuple[str, list[Sample]]]:
    """Sets made of the held-out parts of training sets; each has `count` samples at most."""
    held: list[Sample] = []
    for path in words:
        _, part = holdout(filter_labels(open_source(path), charset, 40)[0], HELD_OUT)
        held += [(part[i].image, part[i].text) for i in range(len(part))]
    random.Random(0).shuffle(held)
    if held:
        for shortest, longest in LENGTHS:
            chosen = [each for each in held if shortest <= len(each[1]) <= longest]
            yield f"words of {shortest} to {longest} characters", chosen[:count]
        yield "tall crops, as they are", [each for each in held if each[0].shape[0] > TALL * each[0].shape[1]][:count]
        flat = [each for each in held if each[0].shape[0] <= each[0].shape[1] and len(each[1]) > 1][:count]
        for degrees in TURNS:
            yield f"turned by {degrees}", [(turned(crop, degrees), text) for crop, text in flat]
    if scenes is None:
        return
    photos = read_scenes(scenes)
    photos = photos[len(photos) - round(HELD_OUT * len(photos)) :]
    yield "lines of several words", [each for scene in photos for each in _lines(scene)][:count]
    yield "no text", list(_empty(photos))[:count]


def _lines(scene: Scene) -> Iterator[Sample]:
    """Words in a row, cut out together."""
    if len(scene.words) < 2:
        return
    image, quads = scene.load(), np.array([each.polygon[:4] for each in scene.words])
    for chain in chains(quads):
        if len(chain) < 2 or not all(scene.words[i].legible for i in chain):
            continue
        first, last = quads[chain[0]], quads[chain[-1]]
        try:
            strip = rectify(image, np.array([first[0], last[1], last[2], first[3]]))
        except BoxError:
            continue
        yield strip, " ".join(scene.words[i].text for i in chain)


def _empty(scenes: Sequence[Scene]) -> Iterator[Sample]:
    """Patches that no word comes near to."""
    for number, scene in enumerate(scenes):
        image = scene.load()
        for x0, y0, x1, y1 in free_boxes(random.Random(number), scene, image.shape[1], image.shape[0], 3):
            yield image[y0:y1, x0:x1], ""


# ---- measuring


def fold(text: str) -> str:
    """Digits and letters, case ignored, accents dropped."""
    charset = Charset.preset("36")
    return charset.adapt(charset.normalize(text))


def measure(reader: Reader, what: str, kind: str, samples: Sequence[Sample], boxes: bool = False) -> Row:
    """One row; with `boxes` crops stand in a photograph, where text on its head is looked for, too."""
    if boxes:
        texts = [_in_a_photo(reader, crop) for crop, _ in samples]
    else:
        texts = [found.text for found in reader.read_crops([crop for crop, _ in samples])]
    labels = [label for _, label in samples]
    pairs = list(zip(texts, labels, strict=True))
    exact = [" ".join(text.split()) == " ".join(label.split()) for text, label in pairs]
    folded = [fold(text) == fold(label) if label else not text for text, label in pairs]
    return Row(what, kind, len(pairs), *(100 * float(np.mean(right)) for right in (exact, folded)))


def _in_a_photo(reader: Reader, crop: Crop) -> str:
    height, width = crop.shape[:2]
    photo = np.pad(crop, ((20, 20), (20, 20), (0, 0)), mode="edge")
    box = np.array([(20, 20), (20 + width, 20), (20 + width, 20 + height), (20, 20 + height)])
    return " ".join(found.text for found in reader.read(photo, boxes=[box]).words)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", nargs="?", default="latin")
    parser.add_argument("--count", type=int, default=200, help="crops of each set, of real ones at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", type=Path, nargs="*", default=(), help="training sets of crops")
    parser.add_argument("--scenes", type=Path, help="training set of photographs in which every word is marked")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()

    reader = Reader(options.pack, threads=options.threads)
    rows: list[Row] = []

    def add(what: str, kind: str, samples: Sequence[Sample]) -> None:
        for boxes in (False, True) if what == "turned by 180" else (False,):
            if samples:
                rows.append(measure(reader, f"{what}, as a box of a photo" if boxes else what, kind, samples, boxes))
                show(rows[-1])

    print("| set | crops | n | exact % | 36 characters % |\n|---|---|---|---|---|", flush=True)
    for what, samples in rendered(options.count, options.seed):
        add(what, "rendered", samples)
    for what, samples in real(options.words, options.scenes, options.count, Charset.preset("latin")):
        add(what, "real", samples)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def show(row: Row) -> None:
    """Prints a line of the table."""
    print(f"| {row.what} | {row.kind} | {row.n} | {row.exact:.1f} | {row.folded:.1f} |", flush=True)


if __name__ == "__main__":
    main()
