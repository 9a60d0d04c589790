"""A recognizer of random matrices, small and in NumPy alone, with the parts that `PsmGraphs` asks for."""

import numpy as np

from wordsight.decoding import Seen, Settings, join_arrays, read_psm
from wordsight.text import CharTokenizer


def attend(query, key, value, mask):
    """(B, Q, D), (B, K, D), (B, K, D), additive (B, Q, K)."""
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1]) + mask
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ value


def read_constrained(graphs, images, spec, constraint, **how):
    return read_psm(graphs, images, spec, Settings(constraint=constraint, **how))


def norm(x):
    return (x - x.mean(axis=-1, keepdims=True)) / (x.std(axis=-1, keepdims=True) + 1e-5)


class RandomGraphs:
    """`end_bias` is added to [E]: words end sooner. `cross` false: a recognizer without cross-modal branch."""

    join = staticmethod(join_arrays)

    def __init__(self, tokenizer: CharTokenizer, max_length: int, *, seed=0, end_bias=0.0, cross=True, width=24):
        rng = np.random.default_rng(seed)

        def matrix(*shape, scale=1.0):
            return (rng.normal(size=shape) * scale / np.sqrt(shape[0])).astype(np.float32)

        self.tokenizer = tokenizer
        self.has_cross = cross
        self.rows_seen = []
        self.patch = matrix(3 * 4 * 4, width)
        self.place = matrix(1, 8, width)
        self.kv = {name: matrix(width, 2 * width) for name in ("visual", "cross", "text")}
        self.text_embedding = matrix(1, tokenizer.vocab_size, width)[0]
        self.text_place = matrix(1, max_length + 2, width)
        self.decoders = {
            name: {
                "embedding": matrix(1, tokenizer.vocab_size, width)[0] * 2,
                "place": matrix(1, max_length + 1, width)[0],
                "q": matrix(width, width),
                "kv": matrix(width, 2 * width),
                "mq": matrix(width, width, scale=2),
                "up": matrix(width, 2 * width),
                "down": matrix(2 * width, width),
                "head": matrix(width, tokenizer.num_classes, scale=3),
            }
            for name in ("visual", "cross")
        }
        self.end_bias = end_bias

    @staticmethod
    def images(count, seed=0):
        return np.random.default_rng(seed).normal(size=(count, 3, 8, 16)).astype(np.float32)

    def _memory_kv(self, name, memory):
        b, length, width = memory.shape
        return (memory @ self.kv[name]).reshape(b, length, 1, 2, width).transpose(0, 2, 3, 1, 4)

    def image(self, images):
        b = len(images)
        patches = images.reshape(b, 3, 2, 4, 4, 4).transpose(0, 2, 4, 1, 3, 5).reshape(b, 8, -1)
        memory = norm(patches @ self.patch + self.place)
        return Seen(self._memory_kv("visual", memory), self._memory_kv("cross", memory) if self.has_cross else None)

    def text(self, tokens):
        x = norm(self.text_embedding[tokens] + self.text_place[:, : tokens.shape[1]])
        seen = np.triu(np.full((tokens.shape[1],) * 2, -np.inf, np.float32), k=1)
        return self._memory_kv("cross", norm(x + attend(x, x, x, seen[None])))

    def visual(self, tokens, kv, mask):
        return self._decode(self.decoders["visual"], tokens, kv, mask, np.zeros(kv.shape[:1] + kv.shape[3:4]))

    def cross(self, tokens, kv, mask, memory_mask):
        return self._decode(self.decoders["cross"], tokens, kv, mask, memory_mask)

    def _decode(self, w, tokens, kv, mask, memory_mask):
        assert tokens.dtype == np.int64
        assert mask.shape == (*tokens.shape, tokens.shape[1])
        assert mask.dtype == np.float32
        assert len(tokens) == len(kv) == len(memory_mask)
        self.rows_seen.append(len(tokens))
        steps = tokens.shape[1]
        content = w["embedding"][tokens]
        content[:, 1:] += w["place"][: steps - 1]
        key, value = np.split(norm(content) @ w["kv"], 2, axis=-1)
        x = np.broadcast_to(w["place"][:steps], content.shape)
        x = x + attend(norm(x) @ w["q"], key, value, mask)
        x = x + attend(norm(x) @ w["mq"], kv[:, 0, 0], kv[:, 0, 1], memory_mask[:, None])
        x = x + np.maximum(norm(x) @ w["up"], 0) @ w["down"]
        logits = norm(x) @ w["head"]
        logits[..., self.tokenizer.eos] += self.end_bias
        return logits.astype(np.float32)
