"""Text encoders of `transformers` as text tower: CLIP's, multilingual ones such as XLM-R, students of CLIP."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wordsight.errors import ConfigError
from wordsight.models.config import HubTextConfig
from wordsight.text import HubCaptions

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class HubTextTower(nn.Module):
    """Tokens (N, S) of `HubCaptions` to features (N, S, output_dim): the encoder's last hidden states.

    A token never sees padding. Where widths differ a linear projection follows, which is new. `checkpointing` is as in
    `TextTower`, but for all blocks as one.
    """

    checkpointing = False

    def __init__(self, cfg: HubTextConfig, output_dim: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.model = _built(cfg)
        width = int(self.model.config.hidden_size)
        self.bridge = nn.Linear(width, output_dim) if width != output_dim else nn.Identity()

    @property
    def blocks(self) -> nn.ModuleList:
        """Of the encoder."""
        return next(module for module in self.model.modules() if isinstance(module, nn.ModuleList))

    def below(self, layers: int) -> Iterator[nn.Parameter]:
        """The embeddings and the first blocks; with all blocks the whole encoder, but never the projection."""
        above = {id(parameter) for block in self.blocks[layers:] for parameter in block.parameters()}
        # They come in the order of computing
        return itertools.takewhile(lambda parameter: id(parameter) not in above, self.model.parameters())

    def forward(self, tokens: Tensor) -> Tensor:
        """Features of every position, meaningless where there is padding."""
        if self.checkpointing and torch.is_grad_enabled():
            return self.bridge(checkpoint(self._states, tokens, use_reentrant=False))
        return self.bridge(self._states(tokens))

    def _states(self, tokens: Tensor) -> Tensor:
        there = tokens != HubCaptions.pad
        ids = tokens.masked_fill(~there, self.model.config.pad_token_id or 0)
        return self.model(input_ids=ids, attention_mask=there.long()).last_hidden_state


def hub_text(name: str, context: int) -> tuple[HubTextConfig, dict[str, Tensor]]:
    """A pretrained text encoder: its configuration, and the weights of `HubTextTower.model`.

    Args:
        name: on the hub, or a folder. Of models with two towers the text tower is taken.
        context: tokens of the longest caption.

    Raises:
        ConfigError: `transformers` is missing, the encoder is not available, or it does not suit captions.
    """
    transformers = _transformers()
    try:
        model: PreTrainedModel = transformers.AutoModel.from_pretrained(
            name, dtype=torch.float32, weights_only=True, trust_remote_code=False
        )
        path = transformers.utils.cached_file(name, "tokenizer.json")
        tokenizer = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"text encoder {name!r}: neither a folder nor available from the hub with its tokenizer.json: {reason}"
        ) from None
    if model.config.is_encoder_decoder:  # torch.export stumbles over T5's
        raise ConfigError(f"{name!r} is an encoder with a decoder: give a text encoder like XLM-R, mBERT or CLIP's")
    plain = json.loads(model.config.to_json_string(use_diff=False))
    plain.pop("_name_or_path", None)  # of this machine
    cfg = HubTextConfig(Path(name).name if Path(name).is_dir() else name, plain, tokenizer)
    encoder = _text_half(model)
    _try(name, encoder.train(False), HubCaptions(tokenizer, context))
    return cfg, encoder.state_dict()


def _transformers() -> ModuleType:
    try:
        import transformers
    except ImportError:
        raise ConfigError("text encoders of the hub need transformers: pip install transformers") from None
    return transformers


def _built(cfg: HubTextConfig) -> "PreTrainedModel":
    """With random weights."""
    transformers = _transformers()
    try:
        config = transformers.AutoConfig.for_model(**cfg.model)
        return _text_half(transformers.AutoModel.from_config(config, dtype=torch.float32))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        reason = str(error).split("\n")[0][:200]
        raise ConfigError(
            f"this transformers cannot build the text encoder {cfg.name!r}: {reason}: update it"
        ) from None


def _text_half(model: "PreTrainedModel") -> "PreTrainedModel":
    """What makes hidden states of text, without heads that make one vector of them: those would never learn."""
    model = getattr(model, "text_model", model)
    for head in ("pooler", "head"):
        if getattr(model, head, None) is not None:
            setattr(model, head, nn.Identity())
    return model


def _try(name: str, encoder: "PreTrainedModel", captions: HubCaptions) -> None:
    """Refuses an encoder that is none, or has too few positions or tokens for its captions."""
    vocabulary, known = captions.vocabulary, getattr(encoder.config, "vocab_size", 0)
    if vocabulary > known:
        raise ConfigError(f"text encoder {name!r} knows {known} tokens, its tokenizer.json has {vocabulary}")
    try:
        with torch.inference_mode():
            tokens = torch.zeros(1, captions.context, dtype=torch.long)
            states = encoder(input_ids=tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state
        fits = states.shape == (1, captions.context, encoder.config.hidden_size)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        fits = False
    if not fits:
        raise ConfigError(
            f"{name!r} is not a text encoder, or has fewer positions than the {captions.context} it needs"
        )
