"""Comparing readings of the same crops: by another model, or with other scenes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wordsight.cli.recognizers import AnyReader, Crop, OurReader
    from wordsight.data import OpenedSource
    from wordsight.evaluate import Protocol, Record
    from wordsight.evaluate.contrast import Contrast
    from wordsight.evaluate.report import Exhibit

SHOWN = 48  # pictures of mended and of spoilt words on the HTML page, of each comparison
TIMED = 20  # scenes whose words are timed


@dataclass(frozen=True)
class Reading:
    """One reading of all crops of all data sets.

    Attributes:
        name: its name in tables.
        records: what was read, set after set.
        places: where in its set each record's sample is.
        scenes: the photograph that it was cut from; empty where that is not known.
    """

    name: str
    records: "list[Record]"
    places: list[int]
    scenes: list[str]

    def of(self, dataset: str) -> "tuple[list[Record], list[str]]":
        """Records of one set, and their photographs."""
        rows = [i for i, record in enumerate(self.records) if record.dataset == dataset]
        return [self.records[i] for i in rows], [self.scenes[i] for i in rows]


def contrasts(one: Reading, other: Reading, rules: "Sequence[Protocol]", sets: Sequence[str]) -> "list[Contrast]":
    """`one` less `other`, set by set and protocol by protocol; all sets together where there are several."""
    from wordsight.evaluate.contrast import contrast

    found = []
    for rule in rules:
        for name in sets:
            mine, scenes = one.of(name)
            found.append(contrast(mine, other.of(name)[0], scenes, rule, (one.name, other.name), name))
        if len(sets) > 1:
            # names of samples are those of their sets: scenes of two sets must not meet
            pairs = zip(one.records, one.scenes, strict=True)
            apart = [f"{record.dataset}/{scene}" if scene else "" for record, scene in pairs]
            found.append(contrast(one.records, other.records, apart, rule, (one.name, other.name), "all sets"))
    return [each for each in found if each is not None]


def exhibits(
    found: "Sequence[Contrast]", sources: "Mapping[str, OpenedSource]", reading: Reading
) -> "dict[str, list[Exhibit]]":
    """Pictures of the words that the first protocol calls mended and spoilt: title -> pictures."""
    places = {(r.dataset, r.id): place for r, place in zip(reading.records, reading.places, strict=True)}
    out: dict[str, list[Exhibit]] = {}
    for one in found:
        if one.protocol != found[0].protocol or one.dataset == "all sets":
            continue
        for what, pairs in (("mended", one.mended), ("spoilt", one.spoilt)):
            pictures = [exhibit(sources[a.dataset][places[a.dataset, a.id]].image, a, b) for a, b in pairs[:SHOWN]]
            if pictures:
                more = f", the first {SHOWN}" if len(pairs) > SHOWN else ""
                who = f"{what} by {one.one} against {one.other} ({one.protocol}){more}"
                out[f"{one.dataset}: {len(pairs)} words {who}"] = pictures
    return out


def exhibit(crop: "Crop", record: "Record", other: "Record | None" = None) -> "Exhibit":
    """A crop, reduced for a page with many of them, and what was read on it."""
    import io

    from PIL import Image

    from wordsight.evaluate.report import Exhibit

    picture = Image.fromarray(crop)
    picture.thumbnail((512, 128))
    png = io.BytesIO()
    picture.save(png, "PNG")
    return Exhibit(record, png.getvalue(), other)


def gates(model: str) -> dict[str, float]:
    """The gates of a model with CLIPTER, as its pack or checkpoint folder says; empty where it does not."""
    import json

    from wordsight.cli.recognizers import find_ours

    found = find_ours(model)
    about = json.loads((found / "config.json").read_bytes()) if isinstance(found, Path) else found.about
    return {str(k): float(v) for k, v in (about.get("gates") or {}).items()}


def costs(reader: "AnyReader", sources: "Mapping[str, OpenedSource]") -> list[str]:
    """Milliseconds a word alone, with its scene known, and with its scene to be encoded first; in sentences."""
    import numpy as np

    from wordsight.cli.recognizers import OurReader
    from wordsight.data import ScenesSource

    if not isinstance(reader, OurReader):
        return []
    rows: list[tuple[int, list[float]]] = []
    for source in sources.values():
        if isinstance(source, ScenesSource):
            scenes = groupby(enumerate(source.words), lambda word: word[1][0])
            for _, words in islice(scenes, TIMED):
                samples = [source[i] for i, _ in words]
                alone, cached, encoding = _times(reader, samples)
                rows.append((len(samples), [alone, cached, cached + encoding]))
    if len(rows) < 2:
        return []
    each = [1000 * np.array(times) / n for n, times in rows[1:]]
    low, middle, high = np.percentile(each, [25, 50, 75], axis=0)
    names = ("alone", "scene cached", "scene cold")
    text = ", ".join(
        f"{name} {m:.1f} ({a:.1f} to {b:.1f})" for name, a, m, b in zip(names, low, middle, high, strict=True)
    )
    number = np.mean([n for n, _ in rows])
    return [f"ms a word, medians (quartiles) over {len(rows) - 1} scenes of {number:.1f} words: {text}"]


def _times(reader: "OurReader", samples: Sequence[Any]) -> tuple[float, float, float]:
    """Seconds for the words of a scene without it, for the same with it, and for encoding it."""
    crops = [sample.image for sample in samples]
    pixels = samples[0].link.scene.load()
    began = time.perf_counter()
    scene = reader.reader.scene(pixels)
    encoded = time.perf_counter()
    reader.read_scenes(crops, [scene] * len(crops))
    read = time.perf_counter()
    reader.read(crops)
    return time.perf_counter() - read, read - encoded, encoded - began
