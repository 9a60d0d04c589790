"""The graphs of recognizers that read in steps (TRBA letters, ABINet corrections), to be run or exported to ONNX.

Their last four inputs are what a `SceneContext` holds, for a model that is told of scenes there.
"""

from torch import Tensor, nn

from wordsight.models.baselines.abinet import Abinet
from wordsight.models.baselines.trba import Trba
from wordsight.models.clipter import SceneContext


class TrbaImage(nn.Module):
    """The graph `image`: images (B, 3, H, W) to memory (B, 2, L, D) and first state (B, 2, D). Scenes: early."""

    def __init__(self, model: Trba) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        image: Tensor,
        scene: Tensor | None = None,
        scene_index: Tensor | None = None,
        has_scene: Tensor | None = None,
        scene_box: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        context = _context(scene, scene_index, has_scene, scene_box)
        memory = self.model.cell.memory(self.model.encode(image, context))
        return memory, self.model.cell.start(memory)


class TrbaStep(nn.Module):
    """The graph `step`: letters before (B,), state and memory to logits (B, C + 1) and next state. Scenes: late."""

    def __init__(self, model: Trba) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        tokens: Tensor,
        state: Tensor,
        memory: Tensor,
        scene: Tensor | None = None,
        scene_index: Tensor | None = None,
        has_scene: Tensor | None = None,
        scene_box: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        state = self.model.step(tokens, state, memory, _context(scene, scene_index, has_scene, scene_box))
        return self.model.cell.head(state[:, 0]), state


class AbinetImage(nn.Module):
    """The graph `image`: images (B, 3, H, W) to logits (B, P, C + 1) and features (B, P, D). Scenes: early."""

    def __init__(self, model: Abinet) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        image: Tensor,
        scene: Tensor | None = None,
        scene_index: Tensor | None = None,
        has_scene: Tensor | None = None,
        scene_box: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        context = _context(scene, scene_index, has_scene, scene_box)
        features, logits = self.model.see(self.model.encode(image, context))
        return logits, features


class AbinetCorrect(nn.Module):
    """The graph `correct`: logits of a reading and features to those of its correction (B, P, C + 1). Scenes: late."""

    def __init__(self, model: Abinet) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        logits: Tensor,
        features: Tensor,
        scene: Tensor | None = None,
        scene_index: Tensor | None = None,
        has_scene: Tensor | None = None,
        scene_box: Tensor | None = None,
    ) -> Tensor:
        """See the class."""
        _, corrected = self.model.correct(logits, features, _context(scene, scene_index, has_scene, scene_box))
        return corrected


def _context(
    scene: Tensor | None, index: Tensor | None, present: Tensor | None, box: Tensor | None
) -> SceneContext | None:
    if scene is None or index is None or present is None:
        return None
    return SceneContext(scene, index, present, box)
