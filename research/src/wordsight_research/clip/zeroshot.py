"""Does CLIP read? An image against texts, and which parts of the image speak for a text.

CLIP4STR begins with this study (arXiv 2305.14014, section 1): CLIP tells words in pictures apart without having been
trained to, also half covered ones. Relevance maps are those of Chefer et al. (arXiv 2103.15679, equations 5 and 6), for
the image tower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wordsight.errors import ConfigError, ModelError
from wordsight.explain.attention import RecordedAttention
from wordsight.imaging import prepare
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip.config import MEAN
from wordsight.models.clip4str import Clip4Str

Picture = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

TRAINED_SCALE = math.log(100.0)
"""CLIP's temperature: its training ends at the ceiling of 100 (arXiv 2103.00020, section 2.5). For towers of a
recognizer, which do not keep it."""


@dataclass(frozen=True)
class Match:
    """A text and an image: cosine of their vectors, the same times CLIP's scale, and its softmax over all texts."""

    text: str
    cosine: float
    logit: float
    probability: float


def load_clip(folder: str | Path) -> Clip:
    """The CLIP in a checkpoint folder, or the CLIP that a recognizer's towers come from.

    Raises:
        ModelError: the folder holds neither, or towers that do not make vectors of whole images and texts.
    """
    model, _ = checkpoint.load(folder)
    if isinstance(model, Clip4Str):
        cfg = model.cfg
        if cfg.captions != "clip" or cfg.text.embedding_only:
            raise ModelError(f"{folder}: its text tower does not read CLIP's tokens: give CLIP's weights")
        if not cfg.image.class_token:
            raise ModelError(f"{folder}: its image tower has no class token: give CLIP's weights")
        clip = Clip(ClipConfig(cfg.image, cfg.text, cfg.embed_dim, mean=cfg.mean, std=cfg.std))
        clip.load_state_dict(
            {k: v for k, v in model.state_dict().items() if k.startswith(("image_tower.", "text_tower."))}
            | {"logit_scale": torch.tensor(TRAINED_SCALE)}
        )
        model = clip.eval()
    if not isinstance(model, Clip):
        raise ModelError(f"{folder} holds a {model.architecture}: give CLIP's weights")
    return model


def prepare_image(clip: Clip, picture: Picture) -> Tensor:
    """(1, 3, H, W): stretched to the input's size as recognizers do it, since a centre crop would cut words."""
    return torch.from_numpy(prepare([picture], clip.cfg.preprocessing))


def match(clip: Clip, picture: Picture, texts: Sequence[str]) -> list[Match]:
    """How well each text fits a picture, uint8 RGB (h, w, 3)."""
    with torch.inference_mode():
        logits = clip(prepare_image(clip, picture), clip.tokens(texts))[0]
        scale = float(clip.logit_scale.exp())
    probabilities = logits.softmax(0)
    return [
        Match(text, float(logit) / scale, float(logit), float(p))
        for text, logit, p in zip(texts, logits, probabilities, strict=True)
    ]


def relevance(clip: Clip, picture: Picture, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Which patches speak for each text: (N, rows, columns), 0 or more, on no absolute scale.

    Through the image tower's layers, R begins as the identity and becomes R + mean over heads of (gradient of the
    text's logit * attention, where positive) R; the class token's row is the map. Ours, for a tower without one, whose
    vector is the mean of all tokens: the mean of the rows.
    """
    with torch.no_grad():
        vectors = clip.encode_text(clip.tokens(texts))
    with torch.enable_grad(), RecordedAttention() as recorded:
        logits = clip.logit_scale.exp() * clip.encode_image(prepare_image(clip, picture)) @ vectors.T
    weights, maps = recorded.weights, []
    for logit in logits[0]:
        gradients = torch.autograd.grad(logit, weights, retain_graph=True)
        rolled = torch.eye(weights[0].shape[-1])
        for attention, gradient in zip(weights, gradients, strict=True):
            rolled = rolled + (gradient * attention)[0].clamp(min=0).mean(0).detach() @ rolled
        row = rolled[0, 1:] if clip.cfg.image.class_token else rolled.mean(0)
        maps.append(row.unflatten(0, clip.cfg.image.grid))
    return torch.stack(maps).numpy()


def occlude(picture: Picture, boxes: Sequence[Box]) -> Picture:
    """A copy with boxes (left, top, width, height; pixels) covered by the mean colour of CLIP's training images.

    Raises:
        ConfigError: a box does not lie within the picture.
    """
    picture = picture.copy()
    height, width = picture.shape[:2]
    for x, y, w, h in boxes:
        if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
            raise ConfigError(f"--occlude {x},{y},{w},{h} reaches outside the picture of {width} x {height} pixels")
        picture[y : y + h, x : x + w] = [round(255 * m) for m in MEAN]
    return picture
