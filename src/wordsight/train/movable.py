"""Batches that go to another device as one."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Self

import torch
from torch import Tensor


class Movable:
    """A dataclass whose tensors, and parts that are movable themselves, go to another device together."""

    def to(self, device: torch.device, non_blocking: bool = True) -> Self:
        """On another device."""
        return self._each(lambda part: part.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """For quick copies to a GPU (called by the data loader)."""
        return self._each(lambda part: part.pin_memory())

    def _each(self, change: Callable[[Any], Any]) -> Self:
        here: Any = self
        parts = {field.name: getattr(here, field.name) for field in fields(here)}
        moved = {name: change(part) for name, part in parts.items() if isinstance(part, Tensor | Movable)}
        return replace(here, **moved)  # type: ignore[no-any-return]
