"""CLIPTER's fusion: the features of a word attend to the scene that it was cut from."""

import logging
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.models.clipter.config import ClipterConfig, GateForm
from wordsight.models.clipter.context import SceneContext
from wordsight.models.layers.transformer import Mlp

_log = logging.getLogger(__name__)


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
    Ours: tanh (a sigmoid would start half open), and the additive form. If the attended features had a residual
    connection, both forms would be the same, (1 - g) F + g (F + A) = F + g A; they have none.

    With `clamp`, g is kept in 0..1, but its gradient passes unclamped, so that a gate that was pushed below 0 can open
    again.
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
    is as wide as the features and has one. No residual leads the word's features around the attention: that would make
    the convex gate an additive one. The number of heads is the wanted one or the largest of its divisors that fits.
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
