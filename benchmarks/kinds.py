"""Kinds of texts that recognizers get wrong, in faces that training did not see: one of our packs beside RapidOCR.

    python benchmarks/kinds.py [--model latin] [--count 200] [--pictures 40] [--threads 2] [--kinds A,B] [--json FILE]
        [--sheets FOLDER]

Crops are read by `Reader.read_crops` and by RapidOCR's recognizer alone, whole pictures by `Reader.read` and by its
whole engine. All are plain and readable: no neighbours, nothing cut off, few small letters. A crop is right if its text
is, case, accents and spaces included; only look-alikes are folded: kinds of dashes and quotes, full-width forms, signs
for degrees, and runs of white space. `spaces aside` is the same without spaces. Of pictures, `texts`
are lines (rows of receipts) that come out as one line each, `words` the share of words found (of the larger number of
words, written or read).
RapidOCR's boxes of receipts are joined to rows first, as it has none.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidocr import RapidOCR

from wordsight import Reader
from wordsight.cli.recognizers import RapidOcr
from wordsight.synth.lines import LOOKS, RenderedLines
from wordsight_research.places.notices import NOTICES, RenderedNotices

SEED = 20261
CROPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "signs": ("signs", ("clean",)),
    "signs on photos and walls": ("signs", ("plain",)),
    "lines of 2 to 8 words": ("lines", ("clean",)),
    "lines on photos and walls": ("lines", ("plain",)),
    "words of 11 to 40": ("long", ("clean",)),
    "accented words": ("accented", ("clean",)),
    "accented words in common use": ("common_accented", ("clean",)),
    "accented lines": ("accented_lines", ("clean",)),
    "numbers of 6 to 18 digits": ("numbers", ("clean",)),
    "monospaced numbers": ("numbers", ("mono",)),
    "serials": ("serials", ("clean", "mono")),
    "monospaced dates": ("dates", ("mono",)),
    "monospaced times": ("times", ("mono",)),
    "IP addresses": ("ips", ("clean",)),
    "e-mail addresses": ("emails", ("clean",)),
    "URLs": ("urls", ("clean",)),
    "units": ("units", ("clean",)),
    "brackets": ("brackets", ("clean",)),
    "prices": ("prices", ("clean",)),
    "receipt rows": ("receipts", ("clean", "mono")),
    "telephone numbers": ("phones", ("clean",)),
    "displays": ("displays", ("segments",)),
    "dot matrix": ("stamps", ("dots",)),
    "embossed signs": ("signs", ("pressed",)),
    "light on light": ("signs", ("pale",)),
}
"""Rows of the table: a kind of text and its looks."""
_LOOK_ALIKES = str.maketrans("‘’‚′“”„″–—−‐μº：，．（）￥", "''''\"\"\"\"----µ°:,.()¥")
_READABLE = {"neighbours": 0.0, "tight": 0.0, "occluded": 0.0, "steep": 0.0, "glare": 0.0, "faint": 0.0, "small": 0.2}


def folded(text: str) -> str:
    """A text as it is compared."""
    return " ".join(text.translate(_LOOK_ALIKES).replace("…", "...").replace("℃", "°C").replace("℉", "°F").split())


def shares(wanted: Sequence[str], got: Sequence[str]) -> dict[str, float]:
    """How many texts are right, in percent, with their spaces and without."""
    pairs = [(folded(a), folded(b)) for a, b in zip(wanted, got, strict=True)]
    return {
        "right": 100 * sum(a == b for a, b in pairs) / len(pairs),
        "spaces aside": 100 * sum(a.replace(" ", "") == b.replace(" ", "") for a, b in pairs) / len(pairs),
    }


def crops(kind: str, looks: Sequence[str], count: int) -> tuple[list[np.ndarray[Any, Any]], list[str]]:
    """Pictures and texts of a row: no two texts alike."""
    shown = {name: replace(LOOKS[name], config=replace(LOOKS[name].config, **_READABLE)) for name in looks}
    source = RenderedLines(seed=SEED, shares={kind: 1.0}, looks=shown, held_out=True)
    found: dict[str, np.ndarray[Any, Any]] = {}
    start = 0
    while len(found) < count and start < 20 * count:
        for sample in source.many(range(start, start + count)):
            found.setdefault(sample.text, sample.image)
        start += count
    texts = list(found)[:count]
    return [found[text] for text in texts], texts


def rows(boxes: Sequence[Any], texts: Sequence[str]) -> list[str]:
    """RapidOCR's boxes as rows of text, top to bottom: those whose middles are within half a height of each other."""
    lines: list[list[tuple[float, float, float, str]]] = []
    for box, text in sorted(zip(boxes, texts, strict=True), key=lambda pair: float(np.mean(pair[0][:, 1]))):
        y, x, high = float(np.mean(box[:, 1])), float(np.min(box[:, 0])), float(np.ptp(box[:, 1]))
        if lines and abs(lines[-1][0][0] - y) < 0.5 * high:
            lines[-1].append((y, x, high, text))
        else:
            lines.append([(y, x, high, text)])
    return [" ".join(text for *_, text in sorted(line, key=lambda one: one[1])) for line in lines]


def found(wanted: Sequence[Sequence[str]], got: Sequence[Sequence[str]]) -> dict[str, float]:
    """Shares of lines and of words of pictures that were read, in percent."""
    lines = hits = total = 0
    words = most = 0
    for texts, read in zip(wanted, got, strict=True):
        a, b = Counter(map(folded, texts)), Counter(map(folded, read))
        hits, total, lines = hits + (a & b).total(), total + a.total(), lines + b.total()
        a, b = (Counter(word for line in side for word in line.split()) for side in (a.elements(), b.elements()))
        words, most = words + (a & b).total(), most + max(a.total(), b.total())
    return {"texts": 100 * hits / total, "words": 100 * words / most}


def sheet(images: Sequence[Any], texts: Sequence[str], file: Path) -> None:
    """A contact sheet to look at: crops with their labels."""
    font = ImageFont.load_default(11)
    picture = Image.new("RGB", (1400, 1200), (60, 0, 60))
    draw, x, y, deep = ImageDraw.Draw(picture), 0, 0, 0
    for image, text in zip(images, texts, strict=True):
        small = Image.fromarray(image)
        small.thumbnail((1400, 320))
        wide = max(small.width, round(draw.textlength(text, font))) + 6
        if x + wide > 1400:
            x, y, deep = 0, y + deep + 18, 0
        picture.paste(small, (x, y))
        draw.text((x, y + small.height), text, fill=(255, 255, 255), font=font)
        x, deep = x + wide, max(deep, small.height)
    picture.save(file)


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="latin")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kinds", help="rows to measure, separated by commas; all if left out")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets of what was read")
    args = parser.parse_args()
    known = [*CROPS, *(f"pictures: {kind}" for kind in NOTICES)]
    wanted = args.kinds.split(",") if args.kinds else known
    if unknown := {*wanted} - {*known}:
        parser.error(f"no row is called {sorted(unknown)[0]!r}: there are {', '.join(known)}")
    ours, theirs = Reader(args.model, threads=args.threads), RapidOcr(args.threads)
    engine = RapidOCR(
        params={"EngineConfig.onnxruntime.intra_op_num_threads": args.threads, "Global.log_level": "error"}
    )
    result: dict[str, Any] = {"model": args.model, "seed": SEED, "settings": theirs.settings, "rows": {}}
    print(f"{'right, percent':28s} {'n':>5s} {args.model:>10s} {'rapidocr':>10s}   spaces aside, or words")
    for name in wanted:
        start = time.perf_counter()
        if name in CROPS:
            images, texts = crops(*CROPS[name], args.count)
            read = [word.text for word in ours.read_crops(images)]
            other = [text for text, _ in theirs.read_batch(images)]
            sides = {args.model: shares(texts, read), "rapidocr": shares(texts, other)}
            first, second, n = "right", "spaces aside", len(texts)
            wrong = {args.model: _wrong(texts, read), "rapidocr": _wrong(texts, other)}
        else:
            source = RenderedNotices(name.removeprefix("pictures: "), SEED, held_out=True)
            scenes = [source[i] for i in range(args.pictures)]
            images, written = (
                [scene.image for scene in scenes],
                [[word.text for word in scene.words] for scene in scenes],
            )
            lines = [[line.text for line in ours.read(image).lines] for image in images]
            others = []
            for image in images:
                seen = engine(np.ascontiguousarray(image[:, :, ::-1]))
                texts = [] if seen.boxes is None else list(seen.txts)
                others.append(rows(seen.boxes, texts) if texts and name == "pictures: receipts" else texts)
            sides = {args.model: found(written, lines), "rapidocr": found(written, others)}
            first, second, n = "texts", "words", sum(map(len, written))
            texts, wrong = [" | ".join(one) for one in written], {}
        result["rows"][name] = {"n": n, **sides, "wrong": wrong}
        a, b = sides.values()
        print(
            f"{name:28s} {n:5d} {a[first]:10.1f} {b[first]:10.1f}   {a[second]:5.1f} {b[second]:5.1f}"
            f"   {time.perf_counter() - start:.0f} s",
            flush=True,
        )
        if args.json:
            args.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        if args.sheets:
            args.sheets.mkdir(parents=True, exist_ok=True)
            sheet(images, texts, args.sheets / f"{name.replace(' ', '-').replace(':', '')}.png")


def _wrong(wanted: Sequence[str], got: Sequence[str]) -> list[list[str]]:
    return [[a, b] for a, b in zip(wanted, got, strict=True) if folded(a) != folded(b)][:20]


if __name__ == "__main__":
    main()
