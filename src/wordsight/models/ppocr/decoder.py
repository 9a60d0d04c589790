"""A second reader of what PP-OCRv6's convolutions see: PARSeq's decoder over the columns of a word."""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from wordsight.decoding.ctc_paths import aligned
from wordsight.decoding.joint import LONGEST, MOST_COLUMNS
from wordsight.models.config import DecoderConfig
from wordsight.models.layers.transformer import sinusoids
from wordsight.models.parseq.decoder import Decoder
from wordsight.models.parseq.permutations import draw_orders, hide_padding, permutation_losses, query_masks
from wordsight.text import CharTokenizer


@dataclass(frozen=True, kw_only=True)
class WordDecoderConfig(DecoderConfig):
    """Sizes of a `WordDecoder`.

    Attributes:
        width: of the decoder.
        num_permutations: orders of its characters in which a word is learned.
    """

    heads: int = 8
    dropout: float = 0.0
    width: int = 256
    num_permutations: int = 4


class WordDecoder(nn.Module):
    """The decoder (arXiv 2207.06966): how likely a text is, given the columns of a word, a slice of a line's.

    Args:
        cfg: its sizes.
        channels: of the last convolutions.
        rows: of theirs, all of which are in a column.
        tokenizer: of the characters.
    """

    def __init__(self, cfg: WordDecoderConfig, channels: int, rows: int, tokenizer: CharTokenizer) -> None:
        super().__init__()
        self.cfg, self.tokenizer, self.rows = cfg, tokenizer, rows
        self.project = nn.Linear(rows * channels, cfg.width)
        self.norm = nn.LayerNorm(cfg.width)
        self.decoder = Decoder(cfg, cfg.width, tokenizer.vocab_size, tokenizer.num_classes, LONGEST)
        self.positions = nn.Buffer(sinusoids(MOST_COLUMNS, cfg.width), persistent=False)

    def memory(self, columns: Tensor) -> Tensor:
        """Columns (B, L, channels x rows) to the decoder's keys and values (B, 1, 2, L, D)."""
        columns = columns.unflatten(2, (-1, self.rows)).transpose(2, 3).flatten(2)
        return self.decoder.memory_kv(self.norm(self.project(columns)) + self.positions[: columns.shape[1]])

    def forward(self, tokens: Tensor, kv: Tensor, mask: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        """See `Decoder`: tokens (B, T), keys and values, a mask (B, T, T) to logits (B, T, C + 1)."""
        return self.decoder(tokens, kv, mask, memory_mask)

    def loss(self, columns: Tensor, logits: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Permuted sequence modelling of all words, each on its slice of what is seen of its line.

        Args:
            columns: (B, L, channels x rows) of words or lines.
            logits: (B, T, C + 1) of the frames, which say where words are.
            targets: (B, longest + 2) ids as `CharTokenizer.encode` gives them.
            generator: draws the orders, on the CPU.
        """
        words = [word for row in zip(columns, logits, targets, strict=True) for word in self._slices(*row)]
        if not words:
            return columns.sum() * 0
        memory = pad_sequence([part for part, _ in words], batch_first=True)
        lengths = torch.tensor([len(part) for part, _ in words], device=memory.device)
        hidden = torch.arange(memory.shape[1], device=memory.device) >= lengths[:, None]
        written = pad_sequence([ids for _, ids in words], batch_first=True, padding_value=self.tokenizer.pad)
        orders = draw_orders(written.shape[1] - 2, self.cfg.num_permutations, generator)
        seen = hide_padding(query_masks(orders), written[:, :-1], self.tokenizer)
        unseen = torch.zeros(hidden.shape, device=hidden.device).masked_fill(hidden, float("-inf"))
        found = self(written[:, :-1], self.memory(memory), seen.flatten(1, 2), unseen)
        return permutation_losses({"words": found}, written, len(orders), self.tokenizer).total

    def _slices(self, columns: Tensor, logits: Tensor, target: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The words of a line: their columns, and their ids from [B] to [E]."""
        ids = target[(target != self.tokenizer.pad)][1:-1].cpu().numpy()
        space = self.tokenizer.charset.characters.find(" ") + 1
        spaces = [i for i, one in enumerate(ids) if one == space] if space else []
        frames = logits.detach().float().log_softmax(-1).cpu().double().numpy() if spaces else None
        runs = None if frames is None else aligned(frames, ids, self.tokenizer.eos)
        step, out = len(columns) // len(logits), []
        for left, right in pairwise([-1, *spaces, len(ids)]):
            start = int(runs[left, 1]) if runs is not None and left >= 0 else 0
            end = int(runs[right, 0]) if runs is not None and right < len(ids) else len(logits)
            length = right - left - 1
            if 0 < length <= LONGEST and start < end and step * (end - start) <= MOST_COLUMNS:
                word = F.pad(target[left + 2 : right + 1], (1, 0), value=self.tokenizer.bos)
                out.append((columns[step * start : step * end], F.pad(word, (0, 1), value=self.tokenizer.eos)))
        return out
