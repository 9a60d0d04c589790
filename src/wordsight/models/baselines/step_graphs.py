"""The graphs of recognizers that read in steps (TRBA letters, ABINet corrections), to be run or exported to ONNX."""

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
        context: SceneContext | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
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
        context: SceneContext | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        state = self.model.step(tokens, state, memory, context)
        return self.model.cell.head(state[:, 0]), state


class AbinetImage(nn.Module):
    """The graph `image`: images (B, 3, H, W) to logits (B, P, C + 1) and features (B, P, D). Scenes: early."""

    def __init__(self, model: Abinet) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        image: Tensor,
        context: SceneContext | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
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
        context: SceneContext | None = None,
    ) -> Tensor:
        """See the class."""
        _, corrected = self.model.correct(logits, features, context)
        return corrected
