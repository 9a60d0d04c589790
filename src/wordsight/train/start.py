"""The model that a run starts from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.charset import config_with_charset, with_charset, with_head_of
from wordsight.models.clip import Clip
from wordsight.models.clip.hub_text import hub_text
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.clipter import insert
from wordsight.models.config import PP_LCNET, ImageTowerConfig
from wordsight.models.crnn import CrnnConfig
from wordsight.models.layers.convolutions import Backbone
from wordsight.models.parseq import Parseq, ParseqConfig
from wordsight.models.peft import merge_peft
from wordsight.models.ppocr import Svtr
from wordsight.models.recognizer import Recognizer, RecognizerConfig
from wordsight.models.registry import preset
from wordsight.text import Charset
from wordsight.train.config import ArchitectureConfig


def starting_model(
    name: str,
    start: Path | None,
    architecture: ArchitectureConfig = ArchitectureConfig(),  # noqa: B008 frozen
    *,
    token_only: bool = False,
) -> Any:
    """A recognizer with random weights, or with those of the checkpoint folder `start`.

    Args:
        name: preset that decides all sizes, unless `start` is a recognizer of its kind.
        start: a recognizer. For a CLIP4STR also CLIP towers of the preset's size (heads and activation are theirs,
            input size and patch the preset's), or a PARSeq, converted from any vision transformer, whose image tower is
            taken. For presets on PP-OCRv6's convolutions an SVTR, whose convolutions are taken.
        architecture: what is changed in it.
        token_only: whether the text tower of a CLIP4STR consists only of CLIP's token embeddings.

    Raises:
        ModelError: `start` is no checkpoint folder.
        ConfigError: no such preset, text encoder or charset, or `start` has another size or kind.
    """
    kind, cfg = preset(name)
    given = checkpoint.load(start)[0] if start else None
    if (
        given is not None
        and type(given) is not kind
        and not (kind is Clip4Str and isinstance(given, Clip | Parseq))
        and not (isinstance(given, Svtr) and _has_backbone(cfg))
    ):
        raise ConfigError(
            f"{start} holds a {given.architecture}, {name} is a {kind.architecture}: choose a preset of that kind with "
            "--model.model"
        )
    charset = architecture.charset
    if isinstance(charset, str):
        charset = Charset.preset(charset)
    if isinstance(given, Svtr) and kind is not Svtr:
        model = kind(cfg if charset is None else config_with_charset(cfg, charset))
        backbone = next(module for module in model.modules() if isinstance(module, Backbone))
        backbone.net.load_state_dict(given.image_encoder.state_dict())
        return model
    if isinstance(given, Svtr) and charset is not None:
        given, _ = with_head_of(given, charset)
    if isinstance(cfg, Clip4StrConfig):
        if isinstance(given, Recognizer):
            merge_peft(given)
        if charset is not None and isinstance(given, Clip4Str):
            given = with_charset(given, charset)
        elif charset is not None:
            cfg = config_with_charset(cfg, charset)
        return _clip4str(cfg, given, name, start, token_only, architecture.text)
    return kind(cfg) if given is None else given.train()


def _has_backbone(cfg: RecognizerConfig) -> bool:
    image = cfg.image if isinstance(cfg, ParseqConfig) else cfg
    return isinstance(image, ImageTowerConfig | CrnnConfig) and image.backbone == PP_LCNET


def set_permutations(model: Any, count: int) -> None:
    """Have `model`, a CLIP4STR or a PARSeq, trained in `count` orders per word.

    Raises:
        ConfigError: it is neither, or the number is below 1.
    """
    if count < 1 or not isinstance(model, Parseq):
        raise ConfigError(
            "model.objective.num_permutations: 1 or more, for CLIP4STR and PARSeq: leave it out or change it"
        )
    model.cfg = replace(model.cfg, num_permutations=count)


def refinements(model: Any) -> int | None:
    """How often to refine readings: never (0) if only left to right was trained, else as in the papers (None).

    A model trained left to right has never seen the characters after the one that it reads.
    """
    return 0 if getattr(model.cfg, "num_permutations", 0) == 1 else None


def _clip4str(
    cfg: Clip4StrConfig, given: Any, name: str, start: Path | None, token_only: bool, text: str | None
) -> Clip4Str:
    if isinstance(given, Clip):
        cfg = _with_towers(cfg, given, name, start)
        given.image_tower = given.image_tower.resized(cfg.image)
    elif type(given) is Parseq:
        cfg = replace(cfg, image=given.cfg.image, mean=given.cfg.mean, std=given.cfg.std)
    elif given is not None:
        cfg = given.cfg
    if token_only and (text or cfg.hub):
        raise ConfigError("only CLIP's token embeddings can be used alone: give freezing.text_layers as a number")
    if token_only:
        cfg = replace(cfg, text=replace(cfg.text, embedding_only=True))
    weights = None
    if text:
        # A token for each character, and for the beginning, the end and the space before a word
        context = cfg.max_length + 3
        hub, weights = hub_text(text, context)
        cfg = replace(cfg, hub=hub, captions="hub", caption_context=context)
    model = Clip4Str(cfg)
    if isinstance(given, Clip4Str) and given.clipter is not None:
        insert(model, given.clipter)
    if given is not None:
        ours = model.state_dict()
        part = "image_tower." if type(given) is Parseq else ""
        theirs = {k: v for k, v in given.state_dict().items() if k.startswith(part) and k in ours}
        # A PARSeq's projection is left out where it leads to a decoder of another width
        model.load_state_dict({k: v for k, v in theirs.items() if v.shape == ours[k].shape}, strict=False)
    if weights is not None:
        model.text_tower.get_submodule("model").load_state_dict(weights)
    return model


def _with_towers(cfg: Clip4StrConfig, clip: Clip, name: str, folder: Path | None) -> Clip4StrConfig:
    """`cfg` with the towers of `clip`, whose sizes must be the same, those of input and patch apart."""
    towers = clip.cfg
    free = {"heads", "activation", "height", "width_px", "patch"}
    for ours, theirs in ((cfg.image, towers.image), (cfg.text, towers.text)):
        unlike = {k for k in vars(ours) if getattr(ours, k) != getattr(theirs, k)} - free
        if unlike:
            key = sorted(unlike)[0]
            raise ConfigError(
                f"{folder} holds towers with {key} {getattr(theirs, key)}, {name} has {getattr(ours, key)}: "
                "choose the preset of that size with --model.model"
            )
    image = replace(towers.image, height=cfg.image.height, width_px=cfg.image.width_px, patch=cfg.image.patch)
    return replace(cfg, image=image, text=towers.text, embed_dim=towers.embed_dim, mean=towers.mean, std=towers.std)
