"""The rows of the paper's tables: each is what differs from a plain training, and with which row it is compared.

Spec sections 3.3 (freezing), 3.5 (few new weights), 3.6 (pre-training), 5.3 (components).
The shapes of a compact image tower are a question of our own.
"""

from dataclasses import dataclass, replace
from typing import Literal

from wordsight.models.peft import PeftConfig
from wordsight_research.ablations.shapes import SHAPES, Shape

Weights = Literal["random", "imagenet-1k", "imagenet-21k", "clip"]


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: in the table.
        against: the row that it is compared with; "previous" is the last one above it that has been run.
        weights: of the towers at the start. "given": CLIP's where the user has them, else random.
        small_patches: cut a 32 x 128 image into 4 x 8 patches, as PARSeq does, instead of the model's own input.
        permutations: orders per word; 1 is left to right alone, None the model's own.
        two_rates: the towers learn at 1/19 of the decoders' rate (spec 3.1), where they are pre-trained.
        cross: train and read with the cross-modal branch.
        large: the large model.
        freeze_text: layers of 12 of the text tower that stand still, in proportion where it has more or fewer;
            "token": it is CLIP's token embeddings alone.
        freeze_image: the same of the image tower.
        peft: what trains in the towers' place.
        shape: of the image tower. Such rows train for as many operations as the steps asked for take with the
            preset's own tower.
    """

    name: str
    against: str = "previous"
    weights: Weights | Literal["given"] = "given"
    small_patches: bool = False
    permutations: int | None = None
    two_rates: bool = False
    cross: bool = False
    large: bool = False
    freeze_text: int | Literal["token"] | None = None
    freeze_image: int | None = None
    peft: PeftConfig | None = None
    shape: Shape | None = None


def _components() -> list[Row]:
    """From PARSeq to CLIP4STR, each row with all of the rows above it.

    Where there are no CLIP weights, the row that has them and nothing else new is not run; the recipe is then the
    model's own input instead of small patches, all at one rate, since two are for pre-trained towers.
    """
    return [
        Row("baseline", weights="random", small_patches=True, permutations=1),
        Row("+ PSM", weights="random", small_patches=True),
        Row("+ CLIP encoder", weights="clip"),
        Row("+ recipe", two_rates=True),
        Row("+ cross-modal branch", two_rates=True, cross=True, freeze_text=6),
        Row("+ large", two_rates=True, cross=True, freeze_text=6, large=True),
    ]


def _freezing() -> list[Row]:
    """A row's 0 leaves its tower free; as released it would freeze the embeddings (`model.freezing.text_layers: 0`).

    So the paper's numbers of trained parameters come out: 149.6 M in both towers of B/16, 105.4 M with text 6, ...
    """
    free = Row("text 0", weights="clip", two_rates=True, cross=True)
    text = [replace(free, name=f"text {k}", freeze_text=k) for k in (3, 6, 9, 12, "token")]
    image = [replace(free, name=f"image {k}", freeze_text=6, freeze_image=k or None) for k in (0, 3, 6, 9, 12)]
    first = (replace(free, against="text 0"), *(replace(row, against="text 0") for row in text))
    return [*first, *(replace(row, against="image 0") for row in image)]


def _pretraining() -> list[Row]:
    """The visual branch alone, one learning rate: only the starting weights differ."""
    names: tuple[Weights, ...] = ("random", "imagenet-1k", "imagenet-21k", "clip")
    return [Row(name, against="random", weights=name) for name in names]


def _peft() -> list[Row]:
    """The visual branch alone, as in the paper. New weights learn at the decoders' rate, pre-trained ones at 1/19."""
    new = {
        "frozen": PeftConfig("frozen"),
        "CLIP-Adapter": PeftConfig("adapter"),
        "LST r=4": PeftConfig("ladder", reduction=4),
        "LST r=2": PeftConfig("ladder", reduction=2),
        "LoRA": PeftConfig("lora"),
    }
    rows = [Row(name, against="full", weights="clip", peft=peft) for name, peft in new.items()]
    return [*rows, Row("full", against="full", weights="clip", two_rates=True)]


def _shapes() -> list[Row]:
    """The visual branch alone, from scratch, each compared with the first at the same cost."""
    first = next(iter(SHAPES))
    return [Row(name, against=first, weights="random", shape=shape) for name, shape in SHAPES.items()]


TABLES: dict[str, list[Row]] = {
    "components": _components(),
    "freezing": _freezing(),
    "pretraining": _pretraining(),
    "peft": _peft(),
    "shapes": _shapes(),
}
"""Every table by name."""
