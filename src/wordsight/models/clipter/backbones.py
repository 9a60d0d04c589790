"""The backbones of scene encoders: CLIP towers of ours, vision transformers of `transformers`, a constant."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wordsight.errors import ConfigError
from wordsight.imaging import Preprocessing
from wordsight.models.clip.image import ImageTower
from wordsight.models.peft.files import fingerprint


class Encoder(nn.Module):
    """Prepared photos (N, 3, H, W) to all tokens (N, L, width): [CLS] first if `has_cls`, then the grid, row by row.

    `identity` names the weights.
    """

    width: int
    grid: tuple[int, int]
    has_cls: bool
    preprocessing: Preprocessing
    identity: str

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Buffer(torch.zeros(0), persistent=False)  # tells the device


class TowerEncoder(Encoder):
    """A tower of ours: its tokens through the last norm, not projected to CLIP's common space (ours)."""

    def __init__(self, tower: ImageTower, preprocessing: Preprocessing, identity: str) -> None:
        super().__init__()
        self.tower = tower
        self.width, self.grid, self.has_cls = tower.cfg.width, tower.cfg.grid, tower.cfg.class_token
        self.preprocessing = preprocessing
        self.identity = identity

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.tower.tokens(images)


class ConstantEncoder(Encoder):
    """The same two tokens for every photo, a [CLS] and a grid of one: a control that carries no information."""

    grid = (1, 1)
    has_cls = True
    preprocessing = Preprocessing(1, 1)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.identity = f"constant:{width}"
        self.tokens = nn.Buffer(torch.randn(1, 2, width, generator=torch.Generator().manual_seed(0)), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        return self.tokens.expand(images.shape[0], -1, -1)


class HubEncoder(Encoder):
    """A vision model of `transformers`, or the vision tower of a two-tower model. Register tokens are left out.

    Tokens are taken after the model's final norm. CLIP, OWL-ViT and their kin apply it to the class token alone; here
    it is applied to all tokens, as in our own towers.
    """

    def __init__(self, vision: nn.Module, preprocessing: Preprocessing, name: str) -> None:
        super().__init__()
        config: Any = vision.config
        self.vision = vision
        self.width = int(config.hidden_size)
        self.patch = pair(config.patch_size)
        height, width = preprocessing.size
        self.grid = rows, columns = height // self.patch[0], width // self.patch[1]
        self.cells = rows * columns
        self.preprocessing = preprocessing
        self.identity = f"{name}:{fingerprint(vision.state_dict())[:12]}"
        # NaFlex models take a list of patches and the grid's sizes instead of pixels
        self.flexible = "spatial_shapes" in inspect.signature(vision.forward).parameters
        if self.flexible:
            vision.embeddings = _OneGrid(vision.embeddings, self.grid)
        native = getattr(config, "image_size", None)
        other = native is not None and pair(native) != (height, width)
        able = "interpolate_pos_encoding" in inspect.signature(vision.forward).parameters
        self.more: dict[str, Any] = {"interpolate_pos_encoding": True} if other and able else {}
        self.norm = _forgotten_norm(self, torch.zeros(1, 3, height, width))
        if self.norm is not None:
            self.identity += "+norm"
        with torch.no_grad():
            extra = self._all(torch.zeros(1, 3, height, width)).shape[1] - self.cells
        if extra < 0:
            raise ConfigError(f"{name} gives fewer tokens than patches: it is not a plain vision transformer")
        self.has_cls = extra > 0

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        tokens = self._all(images)
        if self.norm is not None:
            tokens = self.norm(tokens)
        patches = tokens[:, -self.cells :]
        return torch.cat([tokens[:, :1], patches], dim=1) if self.has_cls else patches

    def _all(self, images: Tensor) -> Tensor:
        if not self.flexible:
            return self.vision(pixel_values=images, **self.more).last_hidden_state
        (high, wide), count = self.patch, images.shape[0]
        patches = images.unflatten(3, (-1, wide)).unflatten(2, (-1, high))  # (N, 3, rows, high, columns, wide)
        patches = patches.permute(0, 2, 4, 3, 5, 1).reshape(count, self.cells, -1)
        there = torch.ones(count, self.cells, dtype=torch.long, device=images.device)
        shapes = torch.tensor(self.grid, device=images.device).expand(count, 2)
        return self.vision(pixel_values=patches, pixel_attention_mask=there, spatial_shapes=shapes).last_hidden_state


def _forgotten_norm(encoder: HubEncoder, images: Tensor) -> nn.Module | None:
    """The final norm, if the model does not apply it to all of its tokens; None if it does, or has none."""
    norm = getattr(encoder.vision, "post_layernorm", None)
    if not isinstance(norm, nn.Module):
        return None
    made: list[Tensor] = []
    watching = norm.register_forward_hook(lambda _module, _given, out: made.append(out))
    try:
        with torch.no_grad():
            tokens = encoder._all(images)
    finally:
        watching.remove()
    return None if any(out.shape == tokens.shape and torch.equal(out, tokens) for out in made) else norm


class _OneGrid(nn.Module):
    """The embeddings of a NaFlex model for photos that all have the same grid.

    The model's own code computes positions in a loop over the batch, which would fix the batch size of an exported
    graph.
    """

    def __init__(self, given: Any, grid: tuple[int, int]) -> None:
        super().__init__()
        self.patch_embedding = given.patch_embedding
        side = given.position_embedding_size
        learned = given.position_embedding.weight.detach().reshape(side, side, -1)
        self.positions = nn.Buffer(
            given.resize_positional_embeddings(learned, torch.tensor([grid]), max_length=grid[0] * grid[1])
        )  # (1, cells, D)

    def forward(self, pixel_values: Tensor, spatial_shapes: Tensor) -> Tensor:
        """Patches (N, cells, high * wide * 3) to embeddings (N, cells, D). `spatial_shapes` are not needed."""
        return self.patch_embedding(pixel_values) + self.positions


def pair(size: float | Sequence[float]) -> tuple[int, int]:
    """Height and width, given both or one for both."""
    return (int(size), int(size)) if isinstance(size, int | float) else (int(size[0]), int(size[1]))
