"""What every model of a checkpoint has in common, be it a recognizer, a CLIP or a detector."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from torch import nn

from wordsight.models.config import Config


class Model(nn.Module):
    """A model that is built from its configuration alone.

    Attributes:
        architecture: its name in checkpoints and packs.
        config_class: of its configuration.
    """

    architecture: ClassVar[str]
    config_class: ClassVar[type[Config]]
    cfg: Config

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Self:
        """The model that a checkpoint's configuration describes, with random weights.

        Raises:
            ConfigError: a key is unknown or missing.
        """
        return cls(cls.config_class.from_dict(values))

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.cfg = cfg
