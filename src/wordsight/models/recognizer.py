"""What all recognizers have in common: what those who train, export and run them may rely on."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn

from wordsight.decoding.graphs import Spec
from wordsight.decoding.kind import Kind
from wordsight.imaging import Preprocessing
from wordsight.models.clipter import Contextual, SceneContext, fusion_groups
from wordsight.models.config import from_plain
from wordsight.models.losses import Losses
from wordsight.text import Charset, CharTokenizer

C = TypeVar("C", bound="RecognizerConfig")


@dataclass(frozen=True, kw_only=True)
class RecognizerConfig:
    """What a recognizer reads and writes; subclasses add their sizes.

    Attributes:
        charset: what it can write.
        max_length: characters that it can write.
        mean: of the input's R, G and B, subtracted.
        std: of the same, divided by.
    """

    charset: Charset
    max_length: int = 25
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    PARTS: ClassVar[Mapping[str, type]] = {"charset": Charset}
    """The values that are configurations themselves."""

    @property
    def tokenizer(self) -> CharTokenizer:
        """Of the decoder."""
        return CharTokenizer(self.charset)

    @property
    def spec(self) -> Spec:
        """What decoding has to know."""
        return Spec(self.tokenizer, self.max_length)

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become input."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls: type[C], values: Mapping[str, Any]) -> C:
        """The inverse of `to_dict`, also after a trip through JSON.

        Raises:
            ConfigError: a key is unknown or missing.
        """
        return from_plain(cls, cls.PARTS, values)


@dataclass(frozen=True, kw_only=True)
class CropConfig(RecognizerConfig):
    """Of a recognizer whose input has a size of its own.

    Attributes:
        height: of the input, in pixels.
        width_px: of the input, in pixels.
    """

    height: int = 32
    width_px: int = 128

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become input."""
        return Preprocessing(self.height, self.width_px, self.mean, self.std)


class GraphModule(nn.Module):
    """A graph of a recognizer, to be run as it is or exported to ONNX: one of its methods as a module.

    Args:
        model: the recognizer.
        method: of it: takes tensors, and `context` last.
        inputs: how many tensors.
        points: where the method calls `fuse`, "early" or "late": with a fusion there the graph takes the tensors of a
            `SceneContext` after its inputs.
    """

    def __init__(self, model: "Recognizer", method: Callable[..., Any], inputs: int, *points: str) -> None:
        super().__init__()
        self.model = model
        self.method = method
        self.inputs = inputs
        self.takes_scenes = any(name.startswith(point) for name in model.fusions for point in points)
        """Whether it takes scenes."""

    def forward(self, *given: Tensor) -> Any:
        """The method's output."""
        scene = given[self.inputs :]
        if not scene:
            return self.method(*given)
        return self.method(*given[: self.inputs], context=SceneContext(*scene))


class Recognizer(Contextual):
    """A recognizer. A subclass gives `encode`, `loss`, `graphs`, and a `forward` of its own.

    Attributes:
        architecture: its name in checkpoints and packs.
        kind: how its outputs become text, and which graphs that takes.
        config_class: of its sizes.
        encoders: beginnings of the names of what learns at the plain rate: mostly pre-trained.
    """

    architecture: ClassVar[str]
    kind: ClassVar[Kind]
    config_class: ClassVar[type[RecognizerConfig]]
    encoders: ClassVar[tuple[str, ...]] = ("image_encoder.",)

    cfg: RecognizerConfig

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Self:
        """The model that a checkpoint's configuration describes."""
        return cls(cls.config_class.from_dict(values))

    def __init__(self, cfg: RecognizerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tokenizer = cfg.tokenizer

    def encode(self, images: Tensor, context: SceneContext | None = None) -> Tensor:
        """Images (B, 3, H, W) to features (B, L, D)."""
        raise NotImplementedError

    def loss(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        *,
        context: SceneContext | None = None,
        characters: float | None = None,
    ) -> Losses:
        """The training objective.

        It calls `forward` by its name: where weights are sharded, `loss` has the hooks of the whole model already.

        Args:
            images: (B, 3, H, W).
            targets: (B, T + 1) ids [B] label [E] [P]... as `CharTokenizer.encode` gives them.
            generator: what is drawn comes from it, on the CPU.
            context: the scenes of the images.
            characters: where the batch is one of several parts of an optimiser step, how many characters their labels
                have on average: the mean of the parts' losses is then the loss of the whole step.
        """
        raise NotImplementedError

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """The graphs that its `kind` asks for, by name. `cross` false leaves a cross-modal branch out."""
        raise NotImplementedError

    @property
    def limits(self) -> dict[str, int]:
        """The largest values of sizes of its graphs that vary, by their names in the kind's signature."""
        return {"length": self.cfg.max_length + 1}

    def param_groups(self, lr: float, decoder_lr_scale: float, weight_decay: float) -> list[dict[str, Any]]:
        """AdamW groups: `encoders`, and the rest at `decoder_lr_scale`, with and without decay; then fusions.

        Fusions are new, as decoders are, and learn at their rate; `fusion_groups` says how.
        """
        embeddings = {f"{name}.weight" for name, part in self.named_modules() if isinstance(part, nn.Embedding)}
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad and not name.startswith("fusions."):
                decay = self.decays(name, parameter, name in embeddings)
                groups.setdefault((self.encodes(name), decay), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": lr * (1.0 if encoder else decoder_lr_scale),
                "weight_decay": weight_decay if decay else 0.0,
            }
            for (encoder, decay), parameters in groups.items()
        ] + fusion_groups(self, lr * decoder_lr_scale, weight_decay)

    def encodes(self, name: str) -> bool:
        """Whether the parameter of this name belongs to an encoder."""
        return name.startswith(self.encoders)

    def decays(self, name: str, parameter: nn.Parameter, embedding: bool) -> bool:
        """Whether a parameter's weights decay: not those of one dimension (biases, norms), nor embeddings."""
        return parameter.ndim >= 2 and not embedding
