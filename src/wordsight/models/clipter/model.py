"""CLIPTER (Aberdam et al., arXiv 2301.07464) on the recognizer's side: the features of a word attend to its scene.

    scene tokens -> cross-attention or gated attention from the word's features -> gate -> conditioned features

`Fusion` is that, `Contextual` a recognizer with insertion points for it, and `insert` puts it there. Tokens come of a
frozen encoder (`clipter.scene`).
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.decoding.context import SceneArrays
from wordsight.errors import ConfigError
from wordsight.models.config import Config
from wordsight.models.layers.transformer import Mlp
from wordsight.models.model import Model

_log = logging.getLogger(__name__)

Place: TypeAlias = Literal["early", "late"]
"""CLIPTER's early and late integration: in or after the visual encoder, or on the decoder's output."""

GateForm = Literal["convex", "additive"]

SceneContext: TypeAlias = SceneArrays[Tensor]
"""The scenes of a batch of crops, in torch."""

BLOCK = "early_block"
"""Another early insertion point: after a block of the image tower, for recognizers that give its width."""

Conditioning: TypeAlias = Callable[[Tensor], Tensor]
"""Features (B, L, D) to features that are conditioned on their scenes."""


@dataclass(frozen=True)
class ClipterConfig(Config):
    """How a recognizer is conditioned on scenes. docs/clipter.md says which reading of the paper each option follows.

    Attributes:
        encoder: the frozen scene encoder, as `load_encoder` takes it; a trained recognizer needs its tokens.
        resolution: side of the square that scenes are resized to; None: what the encoder was trained for.
        centre_crop: crop scenes to the square in the middle instead of resizing all of them to it.
        kernel: k of the average pooling over the encoder's token grid; None is infinite: the [CLS] token alone.
        keep_cls: whether [CLS] stays beside pooled tokens (ours; the paper's text leaves it open).
        place: "early", in or after the visual encoder, or "late", on the decoder's output.
        early_block: fuse after this block (from 0) of the image tower instead of on the encoder's output.
        fusion: "gated" (gated attention), "mh-ca-mini" or "mh-ca-base" (multi-head cross-attention).
        keys: what MH-CA attends to: the scene, or the word's own features and the scene.
        gate_form: "convex", (1 - g) F + g A, is the paper's; "additive", F + g A, is the form of Flamingo and QA-ViT.
        clamp: keep g in 0..1. Without it tanh lets g below 0, where (1 - g) F + g A is no convex combination.
        box: add an embedding of the crop's position in its scene to the queries (ours).
        scene_dim: width of the scene tokens.
        gate_lr_scale: the gate learns this many times faster than the rest of its fusion (ours: at the small rates of
            fine-tuning one scalar would hardly move).

    Raises:
        ConfigError: an unknown choice, a size below 1, or options that contradict each other.
    """

    encoder: str = "random"
    resolution: int | None = None
    centre_crop: bool = False
    kernel: int | None = None
    keep_cls: bool = True
    place: Place = "early"
    early_block: int | None = None
    fusion: Literal["gated", "mh-ca-mini", "mh-ca-base"] = "gated"
    keys: Literal["scene", "word+scene"] = "scene"
    gate_form: GateForm = "convex"
    clamp: bool = False
    box: bool = False
    scene_dim: int = 128
    gate_lr_scale: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel is not None and self.kernel < 1:
            raise ConfigError(f"kernel {self.kernel} must be 1 or more; null is infinite, the [CLS] token alone")
        if self.scene_dim < 1:
            raise ConfigError(f"scene_dim {self.scene_dim} must be 1 or more: it is the width of the scene tokens")
        if self.early_block is not None and (self.place != "early" or self.early_block < 0):
            raise ConfigError(f"early_block {self.early_block} needs place 'early' and a block number from 0")
        if self.fusion == "gated" and self.keys != "scene":
            raise ConfigError("gated attention pools the scene and has no keys of the word: set keys to scene")


class Fusion(nn.Module):
    """The fusion at one insertion point of a recognizer: normalise, attend to the scene, mix by a gate.

    Args:
        width: D of the word features.
        cfg: which fusion.
        stepwise: whether the features are a decoder's output positions. These must not attend to each other, since one
            may know a character that another has yet to predict: "word+scene" then means a position's own feature and
            the scene.
    """

    def __init__(self, width: int, cfg: ClipterConfig, stepwise: bool = False) -> None:
        super().__init__()
        self.norm_word = nn.LayerNorm(width)
        self.norm_scene = nn.LayerNorm(cfg.scene_dim)
        self.project = nn.Linear(cfg.scene_dim, width)
        self.box = nn.Sequential(nn.Linear(4, width), nn.GELU(), nn.Linear(width, width)) if cfg.box else None
        self.mixer: nn.Module
        if cfg.fusion == "gated":
            self.mixer = GatedAttention(width, pooled=cfg.kernel is not None)
        else:
            base = cfg.fusion == "mh-ca-base"
            words = cfg.keys == "word+scene"
            self.mixer = CrossAttention(width, width if base else width // 2, 8 if base else 4, base, words, stepwise)
        self.apply(_initialise)  # the output projection too: at zero, it and a gate at zero would never move
        self.gate = Gate(cfg.gate_form, cfg.clamp)
        self._blind = cfg.fusion != "gated" and cfg.keys == "scene"  # if a scene has one token

    def forward(self, features: Tensor, context: SceneContext) -> Tensor:
        """Features (B, L, D), each row conditioned on its scene. Rows without a scene stay bit for bit as they were.

        Raises:
            ConfigError: scene tokens of another width, or no boxes where the fusion wants them.
        """
        scene = self._scene(context)
        word = self.norm_word(features)
        self._warn(context)
        query = word
        if self.box is not None:
            if context.boxes is None:
                raise ConfigError("this fusion uses the position of a crop in its scene: give the context boxes")
            boxes = context.boxes.masked_fill(context.present[:, None] == 0, 0.0)
            query = word + self.box(boxes.to(self.project.weight.dtype))[:, None]
        return self.gate(features, self.mixer(query, word, scene, context.index), context.present)

    def _warn(self, context: SceneContext) -> None:
        if not self._blind or torch.compiler.is_compiling() or context.tokens.shape[1] > 1:
            return
        if bool(context.present.any()):
            self._blind = False  # said once
            _log.warning(
                "MH-CA with one scene token gives every position of a word the same: a softmax over one key is 1 "
                "whatever the query. Use gated attention, a finite kernel, or keys 'word+scene'."
            )

    def _scene(self, context: SceneContext) -> Tensor:
        """The tokens of every scene, projected to the width of the word features (N, M, D), once for all its words."""
        tokens = context.tokens
        if tokens.shape[-1] != self.project.in_features:
            wanted = self.project.in_features
            raise ConfigError(f"scene tokens are {tokens.shape[-1]} wide, this fusion takes {wanted}: set scene_dim")
        # Scenes that no row refers to (padding) must affect neither outputs nor gradients
        rows = torch.arange(tokens.shape[0], device=tokens.device)  # `len` would fix the number of scenes in an export
        used = ((context.index[:, None] == rows) & (context.present[:, None] != 0)).any(0)  # (N,)
        tokens = torch.where(used[:, None, None], tokens, torch.zeros_like(tokens))
        return self.project(self.norm_scene(tokens.to(self.project.weight.dtype)))


class Gate(nn.Module):
    """One learned scalar a, initialised to 0, and g = tanh(a): closed at first, so the recognizer is unchanged.

    From the paper: a learnable scalar, initialised to zero, in a convex combination of original and attended features.
    Ours: tanh (a sigmoid would start half open), and the additive form; the attended features have no residual
    connection, with which both forms would be the same. `clamp` keeps g in 0..1, but its gradient passes unclamped, so
    that a gate that was pushed below 0 can open again.
    """

    def __init__(self, form: GateForm = "convex", clamp: bool = False) -> None:
        super().__init__()
        self.form = form
        self.clamp = clamp
        self.alpha = nn.Parameter(torch.zeros(1))

    @property
    def value(self) -> Tensor:
        """g (1,)."""
        g = self.alpha.tanh()
        return g + (g.clamp(0, 1) - g).detach() if self.clamp else g

    def forward(self, features: Tensor, attended: Tensor, present: Tensor) -> Tensor:
        """Features and attended features (B, L, D), mixed; rows where `present` (B,) is 0 keep their features."""
        g = (self.value * present.to(self.alpha.dtype))[:, None, None].to(features.dtype)  # (B, 1, 1)
        kept = features if self.form == "additive" else (1 - g) * features
        return kept + g * attended


class GatedAttention(nn.Module):
    """Gated attention: sigmoid(W [F; s]) * (V s), a gate for each position of the word and each channel.

    s is the attention-pooled scene: a learned query over its tokens, or its one token if `pooled` is false (k
    infinite). So the result depends on the position even with one scene token. The name is the paper's, the form ours.
    """

    def __init__(self, width: int, pooled: bool) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(width) * width**-0.5) if pooled else None
        self.by_word = nn.Linear(width, width)  # W in two halves, so that the scene's is computed once
        self.by_scene = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)

    def forward(self, query: Tensor, word: Tensor, scene: Tensor, index: Tensor) -> Tensor:
        """Queries (B, L, D) and scenes (N, M, D), row b having scene `index[b]`, to (B, L, D). `word` is not used."""
        if self.query is None:
            s = scene[:, 0]  # (N, D)
        else:
            tokens = scene[:, None]  # (N, 1 head, M, D)
            asked = self.query.expand(scene.shape[0], 1, 1, -1)
            s = F.scaled_dot_product_attention(asked, tokens, tokens)[:, 0, 0]
        take = torch.sigmoid(self.by_word(query) + self.by_scene(s)[index][:, None])
        return take * self.value(s)[index][:, None]


class CrossAttention(nn.Module):
    """MH-CA: multi-head attention from the word to the scene, or to [word; scene].

    The name and "mini" are the paper's, the sizes ours: mini is half as wide inside and has no feed-forward part, base
    is as wide as the features and has one. No residual leads around the attention, which would make the convex gate an
    additive one. The number of heads is the wanted one or the largest of its divisors that fits.
    """

    def __init__(self, width: int, inner: int, heads: int, mlp: bool, words: bool, stepwise: bool) -> None:
        super().__init__()
        self.heads = math.gcd(heads, inner)
        self.words, self.stepwise = words, stepwise
        self.q = nn.Linear(width, inner)
        self.k = nn.Linear(width, inner, bias=False)  # the same for every key, a bias changes no softmax
        self.v = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)
        self.norm_mlp = nn.LayerNorm(width) if mlp else None
        self.mlp = Mlp(width) if mlp else None

    def forward(self, query: Tensor, word: Tensor, scene: Tensor, index: Tensor) -> Tensor:
        """Queries and words (B, L, D), scenes (N, M, D), row b having scene `index[b]`. Returns (B, L, D)."""
        k, v = self.k(scene)[index], self.v(scene)[index]  # (B, M, inner)
        mask = None
        if self.words:
            k, v = torch.cat([self.k(word), k], dim=1), torch.cat([self.v(word), v], dim=1)
            if self.stepwise:
                queries = torch.arange(word.shape[1], device=word.device)
                keys = torch.arange(k.shape[1], device=word.device)
                seen = (queries[:, None] == keys) | (keys >= word.shape[1])  # (L, L + M): own feature, and the scene
                mask = torch.zeros(seen.shape, dtype=k.dtype, device=k.device).masked_fill(~seen, float("-inf"))
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.q(query), k, v))
        out = self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
        if self.mlp is not None and self.norm_mlp is not None:
            out = out + self.mlp(self.norm_mlp(out))
        return out


def _initialise(module: nn.Module) -> None:
    """Xavier: what the gate opens to is about as large as what stands before it."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Contextual(Model):
    """A recognizer that can be conditioned on scenes: a subclass calls `fuse` at its early and late insertion points.

    A recognizer with two decoders may have a late insertion point for each.
    """

    widths: Mapping[str, int] = MappingProxyType({})
    """Insertion point, whose name begins with its `Place`, to the width of features there; see also `BLOCK`."""

    clipter: ClipterConfig | None = None
    """What was inserted; None: nothing."""

    def __init__(self, cfg: Config) -> None:
        super().__init__(cfg)
        self.fusions = nn.ModuleDict()  # insertion point to fusion, empty until one is inserted

    def fuse(self, point: str, features: Tensor, context: SceneContext | None) -> Tensor:
        """Features (B, L, D) conditioned on their scenes; unchanged without a fusion here, or without context."""
        if context is None or point not in self.fusions:
            return features
        return self.fusions[point](features, context)

    def conditioning(self, point: str, context: SceneContext | None) -> Conditioning | None:
        """`fuse` at an insertion point, for parts that know nothing of scenes; None if it would change nothing."""
        if context is None or point not in self.fusions:
            return None
        return lambda features: self.fuse(point, features, context)

    def inside(self, context: SceneContext | None) -> tuple[int, Conditioning] | None:
        """The block of the image tower after which features are conditioned on their scenes, and how; None: none."""
        condition = self.conditioning(BLOCK, context)
        return None if condition is None or self.clipter is None else (self.clipter.early_block or 0, condition)


def insert(recognizer: Contextual, cfg: ClipterConfig) -> None:
    """Inserts a fusion at every insertion point of `recognizer` that `cfg` selects, and sets `recognizer.clipter`.

    The gates are closed: until they are trained, the recognizer's output is bit for bit what it was.

    Raises:
        ConfigError: it has fusions already, or there is no such block or insertion point.
    """
    if recognizer.clipter is not None:
        raise ConfigError("this recognizer already takes scenes: start from one without CLIPTER")
    widths = recognizer.widths
    if cfg.early_block is not None:
        blocks = len(getattr(getattr(recognizer, "image_tower", None), "blocks", ())) if BLOCK in widths else 0
        if cfg.early_block >= blocks:
            raise ConfigError(
                f"early_block {cfg.early_block}: this recognizer's image tower has {blocks} to choose from"
            )
        points = [BLOCK]
    else:
        points = [point for point in widths if point.startswith(cfg.place) and point != BLOCK]
    if not points:
        raise ConfigError(f"this recognizer has no {cfg.place} place: choose another")
    device = next(recognizer.parameters()).device
    for point in points:
        fusion = Fusion(widths[point], cfg, stepwise=cfg.place == "late").to(device)
        recognizer.fusions[point] = fusion.train(recognizer.training)
    recognizer.clipter = cfg
