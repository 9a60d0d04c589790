"""A larger trained recognizer teaches a smaller one while that trains."""

from dataclasses import dataclass
from pathlib import Path

import torch

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clip4str.loss import Teacher


@dataclass(frozen=True)
class TeacherConfig:
    """Who teaches, and how much.

    Attributes:
        folder: checkpoint folder of a CLIP4STR of the same charset and input.
        share: of the loss that comes from the teacher's distributions, over 0 and up to 1; the rest from the labels.
        temperature: divides the logits of both before they are compared: above 1, what is second best counts for more.
    """

    folder: Path
    share: float = 0.5
    temperature: float = 2.0


def load_teacher(cfg: TeacherConfig, learner: Clip4Str, cross: bool, device: torch.device) -> Teacher:
    """The teacher of `learner`, frozen, on `device`.

    Args:
        cfg: where it is.
        learner: who is to learn from it.
        cross: whether the learner's cross-modal branch is going to train.
        device: of the learner.

    Raises:
        ModelError: there is no checkpoint.
        ConfigError: it sees, writes or is told something else than the learner, or `cfg` has impossible numbers.
    """
    if not 0 < cfg.share <= 1 or cfg.temperature <= 0:
        raise ConfigError("model.teacher has a share over 0 and up to 1, and a temperature above 0: change them")
    model, about = checkpoint.load(cfg.folder)
    if not isinstance(model, Clip4Str) or model.clipter is not None:
        raise ConfigError(f"{cfg.folder}: a teacher must be a CLIP4STR without scene context: give one")
    for what, own, theirs in (
        ("characters", learner.cfg.charset.characters, model.cfg.charset.characters),
        ("input", learner.cfg.preprocessing, model.cfg.preprocessing),
        ("longest word", learner.cfg.max_length, model.cfg.max_length),
    ):
        if own != theirs:
            raise ConfigError(f"{cfg.folder}: has another {what} than the recognizer that learns from it")
    if cross and not about.get("cross", True):
        raise ConfigError(
            f"{cfg.folder}: its cross-modal branch was never trained: train only the learner's visual branch"
        )
    return Teacher(model.requires_grad_(False).to(device), cfg.share, cfg.temperature)
