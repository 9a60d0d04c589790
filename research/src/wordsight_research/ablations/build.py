"""From a row of a table to a model that is ready to train."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip
from wordsight.models.clip.config import VOCAB_SIZE
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str, Clip4StrConfig
from wordsight.models.config import ImageTowerConfig
from wordsight.models.freezing import freeze
from wordsight.models.parseq import Parseq
from wordsight.models.peft import add_peft
from wordsight.text import Charset, CharTokenizer
from wordsight_research.ablations.rows import Row
from wordsight_research.ablations.shapes import shaped

COMPACT = "compact"


def compact() -> Clip4StrConfig:
    """A quarter of clip4str-tiny's work, for the plain words of `plain`: half as wide, short lower-case words only."""
    tiny = CLIP4STR_PRESETS["clip4str-tiny"]
    width, heads, charset, longest = 96, 3, Charset.preset("36"), 6
    stem = ((16, 2, 2), (32, 2, 2), (48, 2, 1), (width, 2, 1), (width, 2, 1))
    vocab_size = CharTokenizer(charset).vocab_size
    return replace(
        tiny,
        image=replace(tiny.image, stem=stem, width=width, heads=heads, layers=2),
        text=replace(tiny.text, vocab_size=vocab_size, context=longest + 2, width=width, heads=heads, layers=2),
        decoder=replace(tiny.decoder, heads=heads),
        embed_dim=width,
        charset=charset,
        max_length=longest,
    )


@dataclass(frozen=True)
class Scale:
    """How large the models are and what they start from.

    Attributes:
        model: preset of all rows, or `COMPACT`.
        large: preset of the large one; None for a third wider and twice as deep, as ViT-L is to ViT-B.
        clip: checkpoint folder with pre-trained towers: CLIP's, or those of a trained recognizer.
        clip_large: the same for the large model.
        imagenet_1k: checkpoint folder with a vision transformer.
        imagenet_21k: another.
    """

    model: str = COMPACT
    large: str | None = None
    clip: Path | None = None
    clip_large: Path | None = None
    imagenet_1k: Path | None = None
    imagenet_21k: Path | None = None

    def missing(self, row: Row) -> str | None:
        """What the user has to give before a row can be run, or why it cannot; None if it can."""
        if row.large and row.weights != "random" and self.clip and not self.clip_large:
            return "needs large CLIP weights: --clip-large DIR"
        if row.freeze_text == "token" and self.clip and (sizes := self._token_sizes()):
            return f"not possible: token embeddings of width {sizes[0]} do not fit the common width {sizes[1]}"
        option = {"clip": "clip", "imagenet-1k": "imagenet-1k", "imagenet-21k": "imagenet-21k"}.get(row.weights)
        if option is None or getattr(self, option.replace("-", "_")):
            return None
        kind = "CLIP" if option == "clip" else "ImageNet-1K" if option == "imagenet-1k" else "ImageNet-21K"
        return f"needs {kind} weights: --{option} DIR"

    def _token_sizes(self) -> tuple[int, int] | None:
        """Widths of the given text tower and of what it shares with the image, where these are not the same."""
        cfg = self.config()
        return None if cfg.text.width == cfg.embed_dim else (cfg.text.width, cfg.embed_dim)

    def folder(self, row: Row) -> Path | None:
        """Where the towers of a row come from; None for random ones."""
        if row.weights in ("clip", "given"):
            return self.clip_large if row.large else self.clip
        return {"imagenet-1k": self.imagenet_1k, "imagenet-21k": self.imagenet_21k}.get(row.weights)

    def config(self) -> Clip4StrConfig:
        """Of the rows with random weights: the preset with the sizes of the given towers."""
        preset = compact() if self.model == COMPACT else CLIP4STR_PRESETS[self.model]
        return _around(preset, checkpoint.load(self.clip)[0], self.clip) if self.clip else preset


def build(row: Row, scale: Scale) -> Clip4Str:
    """The model of a row; its random weights are those of torch's generator.

    Raises:
        ModelError: a folder holds no checkpoint.
        ConfigError: or one of another kind.
    """
    cfg = scale.config()
    if row.large:
        cfg = CLIP4STR_PRESETS[scale.large] if scale.large else enlarged(cfg)
    folder = scale.folder(row)
    given = checkpoint.load(folder)[0] if folder else None
    if given is not None:
        cfg = _around(cfg, given, folder)
    if row.small_patches:
        cfg = replace(cfg, image=small_patches(cfg.image, (8, 8) if scale.model == COMPACT else (4, 8)))
    if row.shape:
        cfg = shaped(cfg, row.shape)
    if row.permutations:
        cfg = replace(cfg, num_permutations=row.permutations)
    if row.freeze_text == "token":
        cfg = replace(cfg, text=replace(cfg.text, embedding_only=True))
    model = Clip4Str(cfg)
    if given is not None:
        _copy_towers(given, model)
        freeze(
            model, frozen_layers(row.freeze_text, cfg.text.layers), frozen_layers(row.freeze_image, cfg.image.layers)
        )
    if row.peft:
        add_peft(model, row.peft)
    return model


def small_patches(image: ImageTowerConfig, patch: tuple[int, int]) -> ImageTowerConfig:
    """The same transformer on patches of 32 x 128 pixels: 4 x 8 in PARSeq; twice as high where hours must do."""
    return replace(image, height=32, width_px=128, patch=patch, stem=(), class_token=False)


def enlarged(cfg: Clip4StrConfig) -> Clip4StrConfig:
    """A third wider and twice as deep; heads stay as wide as they are."""

    def wider(size: int) -> int:
        return size * 4 // 3

    image, text = cfg.image, cfg.text
    stem = tuple((wider(c) if c == image.width else c, down, across) for c, down, across in image.stem)
    return replace(
        cfg,
        image=replace(image, width=wider(image.width), heads=wider(image.heads), layers=2 * image.layers, stem=stem),
        text=replace(text, width=wider(text.width), heads=wider(text.heads), layers=2 * text.layers),
        decoder=replace(cfg.decoder, heads=wider(cfg.decoder.heads)),
        embed_dim=wider(cfg.embed_dim),
    )


def frozen_layers(of_12: int | Literal["token"] | None, depth: int) -> int | None:
    """The same share of a tower of `depth` layers: the paper's towers have 12. "token" freezes all there is."""
    return round((12 if of_12 == "token" else of_12) * depth / 12) if of_12 is not None else None


def _around(cfg: Clip4StrConfig, given: Any, folder: Path | None) -> Clip4StrConfig:
    """`cfg` with the sizes of given towers, and what they were trained to be told."""
    if isinstance(given, Clip4Str):
        return given.cfg
    if isinstance(given, Parseq):  # a vision transformer of timm's, converted
        return replace(cfg, image=given.cfg.image, mean=given.cfg.mean, std=given.cfg.std)
    if not isinstance(given, Clip):
        raise ConfigError(f"{folder} holds a {given.architecture}: give CLIP's towers or a recognizer")
    towers = given.cfg
    if towers.charset not in (None, cfg.charset):
        raise ConfigError(
            f"{folder} reads the characters {towers.charset.name}, its rows write {cfg.charset.name}: give the --model "
            "that it was pre-trained for"
        )
    clip = towers.text.vocab_size == VOCAB_SIZE
    heads = cfg.decoder.heads if towers.embed_dim % cfg.decoder.heads == 0 else 8  # as released
    return replace(
        cfg,
        image=towers.image,
        text=towers.text,
        embed_dim=towers.embed_dim,
        decoder=replace(cfg.decoder, heads=heads),
        captions="clip" if clip else "characters",
        caption_context=min(16, towers.text.context),
        mean=towers.mean,
        std=towers.std,
    )


def _copy_towers(given: Any, model: Clip4Str) -> None:
    """Tower weights that have a place in `model`; a projection to another width has none. Decoders stay new."""
    ours = model.state_dict()
    theirs = {
        name: tensor
        for name, tensor in given.state_dict().items()
        if name.startswith(("image_tower.", "text_tower.")) and name in ours and tensor.shape == ours[name].shape
    }
    model.load_state_dict(theirs, strict=False)
