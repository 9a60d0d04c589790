"""What all recognizers have in common, for training, export and reading."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from wordsight.decoding.ctc import CTC
from wordsight.decoding.graphs import Spec
from wordsight.decoding.kind import Kind
from wordsight.imaging import Preprocessing
from wordsight.models.clipter import Contextual, SceneContext
from wordsight.models.config import Config, PeftConfig
from wordsight.models.losses import Losses, cross_entropy, ctc_loss
from wordsight.text import Charset, CharTokenizer

Outputs: TypeAlias = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class RecognizerConfig(Config):
    """A recognizer's input and output; subclasses add their sizes.

    Attributes:
        charset: the characters that it can write.
        max_length: how many of them it writes at most.
        mean: of the input's R, G and B, subtracted.
        std: of the same, divided by.
    """

    charset: Charset
    max_length: int = 25
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    @property
    def tokenizer(self) -> CharTokenizer:
        """The tokenizer of the decoder."""
        return CharTokenizer(self.charset)

    @property
    def spec(self) -> Spec:
        """What decoding has to know."""
        return Spec(self.tokenizer, self.max_length)

    @property
    def preprocessing(self) -> Preprocessing:
        """How crops become input."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class CropConfig(RecognizerConfig):
    """The configuration of a recognizer whose input has a fixed size.

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
    """One of a recognizer's methods as a module: a graph, to be run as it is or exported to ONNX.

    Args:
        model: the recognizer.
        method: the method, which takes tensors, and `context` last.
        inputs: how many tensors it takes.
        points: the insertion points at which it calls `fuse`, "early" or "late": with a fusion there the graph takes
            the tensors of a `SceneContext` after its inputs.
    """

    def __init__(self, model: "Recognizer", method: Callable[..., Outputs], inputs: int, *points: str) -> None:
        super().__init__()
        self.model = model
        self.method = method
        self.inputs = inputs
        self.takes_scenes = any(name.startswith(point) for name in model.fusions for point in points)
        """Whether the graph takes scenes."""

    def forward(self, *given: Tensor) -> Outputs:
        """The method's output."""
        scene = given[self.inputs :]
        if not scene:
            return self.method(*given)
        return self.method(*given[: self.inputs], context=SceneContext(*scene))


class Recognizer(Contextual):
    """A recognizer. A subclass gives `encode` and a `forward` of its own, `graphs` if they are several, and its `loss`.

    Those that decode by CTC, all at once or character by character have their loss here.

    Attributes:
        kind: how its outputs become text, and which graphs that takes.
        encoders: beginnings of the names of the parameters that learn at the plain rate, mostly pre-trained ones.
        peft: the adapters that were added to its towers; None: it is plain.
    """

    kind: ClassVar[Kind]
    encoders: ClassVar[tuple[str, ...]] = ("image_encoder.",)

    cfg: RecognizerConfig
    peft: PeftConfig | None = None

    def __init__(self, cfg: RecognizerConfig) -> None:
        super().__init__(cfg)
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
        """The training objective: as `kind` spells, CTC or the cross entropy of all characters at once.

        It calls `forward` by its name: where weights are sharded, `loss` has the hooks of the whole model already.

        Args:
            images: (B, 3, H, W).
            targets: (B, T + 1) ids [B] label [E] [P]... as `CharTokenizer.encode` gives them.
            generator: the source of randomness, on the CPU.
            context: the scenes of the images.
            characters: if the batch is one of several parts of an optimiser step, the number of characters of a part's
                labels, on average over the parts: the mean of their losses is then the loss of the whole step.
        """
        logits, goals, pad = self.taught(images, targets, context), targets[:, 1:], self.tokenizer.pad
        if self.kind is CTC:
            total = ctc_loss(logits, targets, pad)
            return Losses(total, {"ctc": total.detach()})
        total = cross_entropy(logits[:, : goals.shape[1]], goals, pad, characters)
        return Losses(total, {"characters": total.detach()})

    def taught(self, images: Tensor, targets: Tensor, context: SceneContext | None) -> Tensor:
        """Logits (B, T, C + 1) of images whose `targets`, see `loss`, are known; here they make no difference."""
        return self.forward(images, context)

    def graphs(self, cross: bool = True) -> dict[str, GraphModule]:
        """The graphs that its `kind` requires, by name; here one, which is all of `forward`.

        `cross` false leaves out a cross-modal branch.
        """
        return {"image": GraphModule(self, self.forward, 1, "early", "late")}

    @property
    def limits(self) -> dict[str, int]:
        """The largest values of the variable sizes of its graphs, by their names in the kind's signature."""
        return {"length": self.cfg.max_length + 1}

    def param_groups(self, lr: float, decoder_lr_scale: float, weight_decay: float) -> list[dict[str, Any]]:
        """AdamW groups: `encoders` at rate `lr`, the rest at `decoder_lr_scale` times that, with and without decay.

        Fusions are new, as decoders are, and learn at their rate, but in groups of their own: matrices, the rest, and
        gates, at `gate_lr_scale` times the rate. The gates' group has the key "gate".
        """
        embeddings = {f"{name}.weight" for name, part in self.named_modules() if isinstance(part, nn.Embedding)}
        groups: dict[tuple[bool, bool, bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                fusion = name.startswith("fusions.")
                gate = fusion and name.endswith("gate.alpha")
                decay = self.decays(name, parameter, name in embeddings)
                groups.setdefault((fusion, gate, not decay, self.encodes(name)), []).append(parameter)
        # Fusions last, in this order: a training that is resumed finds its optimiser's state by it
        ordered = sorted(groups.items(), key=lambda group: group[0][:3] if group[0][0] else (False,))
        gate_scale = self.clipter.gate_lr_scale if self.clipter else 1.0
        return [
            {
                "params": parameters,
                "lr": lr * (1.0 if encoder else decoder_lr_scale) * (gate_scale if gate else 1.0),
                "weight_decay": 0.0 if bare else weight_decay,
                **({"gate": True} if gate else {}),
            }
            for (_, gate, bare, encoder), parameters in ordered
        ]

    def encodes(self, name: str) -> bool:
        """Whether the parameter of this name belongs to an encoder."""
        return name.startswith(self.encoders)

    def decays(self, name: str, parameter: nn.Parameter, embedding: bool) -> bool:
        """Whether weight decay applies to a parameter: not to biases, norms and embeddings."""
        return parameter.ndim >= 2 and not embedding
