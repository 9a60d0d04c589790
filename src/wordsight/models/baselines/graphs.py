"""The one graph of recognizers that read at once, to be run or to be exported to ONNX."""

from torch import Tensor, nn

from wordsight.models.baselines.crnn import Crnn
from wordsight.models.baselines.vitstr import Vitstr
from wordsight.models.clipter import SceneContext


class LogitsGraph(nn.Module):
    """Images (B, 3, H, W) to logits (B, P, C + 1): of columns for CTC, of positions for parallel reading."""

    def __init__(self, model: Crnn | Vitstr) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        image: Tensor,
        scene: Tensor | None = None,
        scene_index: Tensor | None = None,
        has_scene: Tensor | None = None,
        scene_box: Tensor | None = None,
    ) -> Tensor:
        """The last four are what a `SceneContext` holds, for a model that is told of scenes."""
        context = None
        if scene is not None and scene_index is not None and has_scene is not None:
            context = SceneContext(scene, scene_index, has_scene, scene_box)
        return self.model.decode(self.model.encode(image, context), context)
