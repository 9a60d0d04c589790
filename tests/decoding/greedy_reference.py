"""CLIP4STR's inference written down step by step, one row at a time: slow, and plainly what the paper says."""

import numpy as np

from wordsight.decoding import PsmGraphs, Spec

NEVER = -1e9


def step_by_step(graph, kv, positions, tokenizer, *memory_mask):
    """Greedy decoding of one row. Returns the logits of all steps up to the one that says [E]."""
    tokens, steps = [tokenizer.bos], []
    for i in range(positions):
        mask = np.full((1, i + 1, i + 1), NEVER, np.float32)
        for query in range(i + 1):
            mask[0, query, : query + 1] = 0
        logits = graph(np.array([tokens]), kv, mask, *memory_mask)[0, i]
        steps.append(logits)
        tokens.append(int(logits.argmax()))
        if tokens[-1] == tokenizer.eos:
            break
    return np.stack(steps)


def cloze(graph, kv, previous, positions, tokenizer, *memory_mask):
    """All positions at once; the query of a character sees all other characters, and nothing from [E] on."""
    text = [int(i) for i in previous.argmax(axis=1)][:-1]  # the last one is [E], or there was no step to be told it
    tokens = ([tokenizer.bos, *text] + [tokenizer.eos] * positions)[:positions]
    mask = np.zeros((1, positions, positions), np.float32)
    for query in range(positions):
        for token in range(positions):
            if token == query + 1 or token > len(text):
                mask[0, query, token] = NEVER
    logits = graph(np.array([tokens]), kv, mask, *memory_mask)[0]
    ids = logits.argmax(axis=1).tolist()
    return logits[: ids.index(tokenizer.eos) + 1] if tokenizer.eos in ids else logits


def decode_one(graphs: PsmGraphs, image, spec: Spec, refine_iters: int = 1):
    """Final logits (length + 1, C + 1) of one image (3, H, W)."""
    tokenizer, max_length = spec.tokenizer, spec.max_length
    kv_visual, kv_image, _ = graphs.image(image[None])
    positions = max_length + 1
    visual = step_by_step(graphs.visual, kv_visual, positions, tokenizer)
    if kv_image is None:
        for _ in range(refine_iters):
            visual = cloze(graphs.visual, kv_visual, visual, positions, tokenizer)
        return visual

    def memory():
        caption, _ = spec.captions.encode([tokenizer.decode(visual.argmax(axis=1).tolist())])
        kv = np.concatenate([kv_image, graphs.text(caption)], axis=3)
        return kv, np.zeros((1, kv.shape[3]), np.float32)

    kv, nothing_hidden = memory()
    steps = len(visual) if spec.cross_steps == "visual" else positions
    cross = step_by_step(graphs.cross, kv, steps, tokenizer, nothing_hidden)
    for _ in range(refine_iters):
        visual = cloze(graphs.visual, kv_visual, visual, positions, tokenizer)
        kv, nothing_hidden = memory()
        cross = cloze(graphs.cross, kv, cross, positions, tokenizer, nothing_hidden)
    return cross
