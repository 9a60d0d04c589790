"""Reading step by step, as the papers write it down: slow, and what `decoding.draft_verify` is tested against."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from wordsight.text import CharTokenizer

Decode: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""A decoder bound to one image: ids (1, T) of [B] and characters, and a mask (1, T, T), to logits (1, T, C + 1)."""

NEVER = float("-inf")


def predict(decode: Decode, tokenizer: CharTokenizer, positions: int) -> Tensor:
    """Greedy, from left to right: each character is told those before it (PARSeq, section 3.3).

    Returns:
        Logits (P, C + 1) of all steps up to the one that says [E], `positions` at most.
    """
    tokens: list[int] = [tokenizer.bos]
    steps: list[Tensor] = []
    while len(steps) < positions and tokens[-1] != tokenizer.eos:
        causal = torch.full((1, len(tokens), len(tokens)), NEVER).triu(1)
        steps.append(decode(torch.tensor([tokens]), causal)[0, -1])
        tokens.append(int(steps[-1].argmax()))
    return torch.stack(steps)


def refine(decode: Decode, logits: Tensor, tokenizer: CharTokenizer, positions: int) -> Tensor:
    """A cloze: every character once more, told all the others (PARSeq, section 3.3, 'iterative refinement').

    Args:
        decode: the decoder.
        logits: (P, C + 1) of the reading so far; the last position is [E], or one that there was no step to tell.
        tokenizer: of the ids.
        positions: how many there are at most.

    Returns:
        Logits (P', C + 1) up to the one that says [E].
    """
    text = logits.argmax(-1)[:-1].tolist()
    tokens = [tokenizer.bos, *text, *[tokenizer.eos] * (positions - 1 - len(text))]
    mask = torch.zeros(1, positions, positions)
    mask[0].diagonal(1).fill_(NEVER)  # the query of a character does not see it
    mask[:, :, len(text) + 1 :] = NEVER  # and nobody sees what follows the text
    refined = decode(torch.tensor([tokens]), mask)[0]
    ended = (refined.argmax(-1) == tokenizer.eos).nonzero()
    return refined[: int(ended[0]) + 1] if len(ended) else refined
