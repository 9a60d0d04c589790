"""The settings of a recognizer's training in groups, as recipes nest them: `model.optimiser.lr`, `data.scene.mode`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wordsight.data.controls import Mode
from wordsight.errors import ConfigError
from wordsight.models.peft import PeftConfig
from wordsight.synth.config import RenderConfig
from wordsight.text import Charset


@dataclass(frozen=True)
class ArchitectureConfig:
    """Changes to a preset, or to the recognizer that a run starts from, before it trains. For CLIP4STR.

    Attributes:
        charset: characters to write, or the name of a charset; `start` keeps what it has learned. For an SVTR, too.
        text: a text encoder of `transformers`, by its name on the hub or a folder, as the text tower, for words that
            CLIP's does not know. Its own tokenizer makes the captions.
    """

    charset: Charset | str | None = None
    text: str | None = None


@dataclass(frozen=True)
class ObjectiveConfig:
    """What the loss consists of.

    Attributes:
        num_permutations: orders per word of permuted sequence modelling; 1: left to right alone, which is then read
            without refinement. None: as the preset or `start` has it. For CLIP4STR and PARSeq.
        orders: whose orders are drawn together: of all words of an optimiser "step", or of each device's "part", as
            released.
        cross_from: step from which the cross-modal branch of a CLIP4STR trains, its decoder starting as a copy of the
            visual one, which loses nothing by that. None: it does not train.
    """

    num_permutations: int | None = None
    orders: Literal["step", "part"] = "step"
    cross_from: int | None = 0


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW and its learning rate.

    Attributes:
        lr: peak learning rate of the encoder (CLIP4STR: the towers).
        decoder_lr_scale: that of all else, over the encoder's (19 in CLIP4STR's paper, whose towers are pre-trained).
        weight_decay: of matrices.
        schedule: "stable" goes up over `warmup` steps, stays, and falls to 0 over the last `decay` steps. "one-cycle"
            is the paper's: cosine up over the first 7.5 % of trainer.max_steps and down over the rest.
        warmup: steps until the peak.
        decay: last steps of `trainer.max_steps`, over which the learning rate falls to 0. 0: it stays.
        ema: decay of an average of the weights over one step, such as 0.999, see `train.ema`. 0: there is none.
    """

    lr: float = 1.5e-3
    decoder_lr_scale: float = 1.0
    weight_decay: float = 0.05
    schedule: Literal["stable", "one-cycle"] = "stable"
    warmup: int = 500
    decay: int = 0
    ema: float = 0.0


@dataclass(frozen=True)
class FreezingConfig:
    """Which parts of a CLIP4STR's towers do not train.

    Attributes:
        text_layers: first blocks of the text tower, and its embeddings; as many as it has or more: all but what is new
            beside `architecture.text`. "token": the tower is CLIP's token embeddings alone, frozen. None: all trains.
        image_layers: first blocks of the image tower, and its embeddings. None: all of it trains.
        peft: freeze a tower and train few new weights, see `wordsight.models.peft.PeftConfig`. None: as above.
    """

    text_layers: int | Literal["token"] | None = None
    image_layers: int | None = None
    peft: PeftConfig | None = None


@dataclass(frozen=True)
class RenderingConfig:
    """What rendered words are made of.

    Attributes:
        words: word lists, see `wordsight synth words`.
        backgrounds: folder of pictures without text to render over.
        fonts: folders of fonts; none: the system's.
        config: what happens to rendered words how often, see docs/rendering.md.
    """

    words: Sequence[Path] = ()
    backgrounds: Path | None = None
    fonts: Sequence[Path] = ()
    config: RenderConfig = field(default_factory=RenderConfig)


@dataclass(frozen=True)
class SceneConfig:
    """What a recognizer that takes scenes is given, and how the boxes of words in scenes vary.

    Attributes:
        mode: the words' own scenes or one of the controls, in training and validation. Words of archives have none.
        seed: decides which scenes are exchanged, and weights and pictures of controls that are random.
        dropout: probability that a word is trained without its scene, so that it can be read without.
        box_jitter: standard deviation of the shift of the corners of training boxes, in heights of the word.
        box_padding: each side of a training box moves outwards by up to this many heights of the word.

    Raises:
        ConfigError: a number is out of its range.
    """

    mode: Mode = "real"
    seed: int = 0
    dropout: float = 0.0
    box_jitter: float = 0.0
    box_padding: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.dropout <= 1 or self.box_jitter < 0 or self.box_padding < 0:
            raise ConfigError(
                "data.scene.dropout is a probability, box_jitter and box_padding are 0 or more: change them"
            )
