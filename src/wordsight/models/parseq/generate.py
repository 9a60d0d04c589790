"""Reading step by step, as PARSeq and CLIP4STR describe it: slow, and the reference of `decoding.draft_verify`."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from wordsight.text import CharTokenizer

Decode: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""A decoder bound to one image: ids (1, T) of [B] and characters, and a mask (1, T, T), to logits (1, T, C + 1)."""

HIDDEN = float("-inf")


def predict(decode: Decode, tokenizer: CharTokenizer, positions: int) -> Tensor:
    """Greedy autoregressive decoding: each character is predicted from those to its left (PARSeq, section 3.3).

    Returns:
        Logits (P, C + 1) of all steps up to the one that predicts [E], `positions` at most.
    """
    tokens: list[int] = [tokenizer.bos]
    steps: list[Tensor] = []
    while len(steps) < positions and tokens[-1] != tokenizer.eos:
        causal = torch.full((1, len(tokens), len(tokens)), HIDDEN).triu(1)
        steps.append(decode(torch.tensor([tokens]), causal)[0, -1])
        tokens.append(int(steps[-1].argmax()))
    return torch.stack(steps)


def refine(decode: Decode, logits: Tensor, tokenizer: CharTokenizer, positions: int) -> Tensor:
    """Iterative refinement: each character is predicted again from all the others, a cloze (PARSeq, section 3.3).

    Args:
        decode: the decoder.
        logits: (P, C + 1) of the prediction so far. Its last position is [E], or a character for which there was no
            room, and which the others do not see.
        tokenizer: of the ids.
        positions: how many there are at most.

    Returns:
        Logits (P', C + 1) up to the position that predicts [E].
    """
    text = logits.argmax(-1)[:-1].tolist()
    tokens = [tokenizer.bos, *text, *[tokenizer.eos] * (positions - 1 - len(text))]
    mask = torch.zeros(1, positions, positions)
    mask[0].diagonal(1).fill_(HIDDEN)  # a position does not see its own character
    mask[:, :, len(text) + 1 :] = HIDDEN  # and none sees what follows the text
    refined = decode(torch.tensor([tokens]), mask)[0]
    ended = (refined.argmax(-1) == tokenizer.eos).nonzero()
    return refined[: int(ended[0]) + 1] if len(ended) else refined
