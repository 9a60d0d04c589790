"""CLIP4STR step by step, as its authors' code computes it, to measure our decoding against and to test it by.

The same weights, and nothing clever: `torch.nn.MultiheadAttention`, which projects the whole memory at every step;
one character per call; all rows go on until the longest is done; the text tower runs for the first reading and again
for the refined one; refinement computes all positions. Only the first `[E]` counts.

    python benchmarks/stepwise.py [--model clip4str-b16] [--batch 16] [--threads 2] [--int8]

Weights are random, and words of 3 to 25 characters are planted in both sides' logits: each call costs what it costs
whatever it says. How good our first drafts are is an assumption then (`--wrong`, the share of their characters that is
wrong); a trained model's passes are to be counted on real crops.

`--int8`: our image tower is that of a pack, in int8 by ONNX Runtime. `--again 0.1`: a tenth of the words is in doubt,
and read again with the pack's float32 tower. `--busy` counts processor time, not time that passed: where other programs
run, and with one thread.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wordsight.decoding import Floats, Ids, PsmGraphs, Seen, read_psm
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.layers.transformer import Attention, Block
from wordsight.models.parseq.decoder import Decoder, DecoderLayer
from wordsight.models.reading import TorchEngine
from wordsight.runtime.sessions import PROVIDERS, open_session
from wordsight.weights.export import export_pack

BUSY = False
"""Whether processor time counts."""


def packed(attention: Attention) -> nn.MultiheadAttention:
    """The same attention with one matrix for q, k and v, sequence first."""
    width = attention.q.in_features
    out = nn.MultiheadAttention(width, attention.heads, dropout=attention.dropout)
    parts = (attention.q, attention.k, attention.v)
    with torch.no_grad():
        out.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        out.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        out.out_proj.load_state_dict(attention.out.state_dict())
    return out


class StepBlock(nn.Module):
    """A tower's block on (L, B, D)."""

    def __init__(self, block: Block, causal: bool) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2, self.mlp = (
            block.norm1,
            packed(block.attention),
            block.norm2,
            block.mlp,
        )
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        mask = torch.full((len(x), len(x)), float("-inf")).triu(1).to(x) if self.causal else None
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.norm2(x))


class StepLayer(nn.Module):
    """A decoder's layer on (L, B, D); attention weights are averaged over the heads, and thrown away."""

    def __init__(self, layer: DecoderLayer) -> None:
        super().__init__()
        self.norm_query, self.norm_content = layer.norm_query, layer.norm_content
        self.norm1, self.norm2, self.mlp = layer.norm1, layer.norm2, layer.mlp
        self.own, self.memory = packed(layer.self_attention), packed(layer.cross_attention)

    def forward(self, x: Tensor, content: Tensor, memory: Tensor, mask: Tensor, padding: Tensor | None) -> Tensor:
        """One layer."""
        content = self.norm_content(content)
        x = x + self.own(self.norm_query(x), content, content, attn_mask=mask, key_padding_mask=padding)[0]
        x = x + self.memory(self.norm1(x), memory, memory)[0]
        return x + self.mlp(self.norm2(x))


class StepDecoder(nn.Module):
    """A decoder that is asked for some positions."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.source = decoder
        self.layers = nn.ModuleList(StepLayer(layer) for layer in decoder.layers)

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor,
        queries: slice,
        content_mask: Tensor,
        query_mask: Tensor,
        padding: Tensor | None = None,
    ) -> Tensor:
        """Tokens (B, T), memory (B, L, D) to logits (B, Q, C + 1)."""
        source = self.source
        content = source.scale * source.embedding(tokens)
        content = torch.cat([content[:, :1], content[:, 1:] + source.positions[: tokens.shape[1] - 1]], dim=1)
        content = content.transpose(0, 1)
        x = source.positions[queries][:, None].expand(-1, len(tokens), -1)
        seen = memory.transpose(0, 1)
        for i, layer in enumerate(self.layers):
            last = i + 1 == len(self.layers)
            new = None if last else layer(content, content, seen, content_mask, padding)
            x = layer(x, content, seen, query_mask, padding)
            content = content if new is None else new
        return source.head(source.norm(x)).transpose(0, 1)


def now() -> float:
    """Seconds of the clock that measures."""
    return time.process_time() if BUSY else time.perf_counter()


@dataclass
class Stages:
    """What the stages gave, for a batch."""

    visual: Tensor
    cross: Tensor
    visual_refined: list[Tensor]
    cross_refined: list[Tensor]

    @property
    def final(self) -> Tensor:
        """The result: (B, steps, C + 1)."""
        return self.cross_refined[-1] if self.cross_refined else self.cross


class Stepwise(nn.Module):
    """A CLIP4STR that decodes step by step. It shares what weights it can with `model`. `seconds` adds up by stage."""

    def __init__(self, model: Clip4Str) -> None:
        super().__init__()
        self.model = model
        self.image_blocks = nn.Sequential(*(StepBlock(block, causal=False) for block in model.image_tower.blocks))
        self.text_blocks = nn.Sequential(*(StepBlock(block, causal=True) for block in model.text_tower.blocks))
        self.visual_decoder = StepDecoder(model.visual_decoder)
        self.cross_decoder = StepDecoder(model.cross_decoder)
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Adds what happens inside to the stage's seconds."""
        start = now()
        yield
        if self.model.visual_decoder.positions.is_cuda:
            torch.cuda.synchronize()
        self.seconds[stage] += now() - start

    def encode(self, images: Tensor) -> Tensor:
        """The memory."""
        tower = self.model.image_tower
        x = tower.stem(images).flatten(2).transpose(1, 2)
        x = torch.cat([tower.class_embedding.expand(len(x), 1, -1), x], dim=1)
        x = tower.norm_pre(x + tower.positional_embedding)
        x = self.image_blocks(x.transpose(0, 1)).transpose(0, 1)
        return tower.norm_post(x) @ tower.projection

    def text(self, logits: Tensor) -> Tensor:
        """Text features of what logits spell; every row's, on its own."""
        with self.clock("strings"):
            ids = logits.softmax(-1).argmax(-1).tolist()
            captions = [self.model.tokenizer.decode(row) for row in ids]
            tokens = torch.stack([torch.from_numpy(self.model.caption_tokenizer.encode([c])[0][0]) for c in captions])
            tokens = tokens.to(logits.device)
        with self.clock("text"):
            tower = self.model.text_tower
            x = tower.token_embedding(tokens) + tower.positional_embedding[: tokens.shape[1]]
            x = self.text_blocks(x.transpose(0, 1)).transpose(0, 1)
            return tower.norm_final(x) @ tower.projection

    def greedy(self, decoder: StepDecoder, memory: Tensor, positions: int, steps: int, stop: bool) -> Tensor:
        """Logits of every step up to `steps`; `stop`: until every row has said [E]."""
        ids = self.model.tokenizer
        batch = len(memory)
        tokens = torch.full((batch, positions), ids.pad, device=memory.device)
        tokens[:, 0] = ids.bos
        causal = torch.full((positions, positions), float("-inf"), device=memory.device).triu(1)
        logits = []
        for i in range(steps):
            j = i + 1
            step = decoder(tokens[:, :j], memory, slice(i, j), causal[:j, :j], causal[i:j, :j])
            logits.append(step)
            if j < positions:
                tokens[:, j] = step[:, 0].argmax(-1)
                if stop and (tokens == ids.eos).any(-1).all():
                    break
        return torch.cat(logits, dim=1)

    def cloze(self, decoder: StepDecoder, memory: Tensor, previous: Tensor, positions: int) -> Tensor:
        """All positions again, each told what the others were, up to the first [E]."""
        ids = self.model.tokenizer
        tokens = torch.cat([torch.full_like(previous[:, :1, 0], ids.bos).long(), previous[:, :-1].argmax(-1)], dim=1)
        causal = torch.full((positions, positions), float("-inf"), device=memory.device).triu(1)
        seen = causal.masked_fill(torch.ones_like(causal, dtype=torch.bool).triu(2), 0)
        length = tokens.shape[1]
        ended = (tokens == ids.eos).cumsum(-1) > 0
        padding = torch.zeros(tokens.shape, device=memory.device).masked_fill(ended, float("-inf"))
        return decoder(tokens, memory, slice(0, positions), causal[:length, :length], seen[:, :length], padding=padding)

    @torch.inference_mode()
    def forward(
        self, images: Tensor, refine_iters: int = 1, max_length: int | None = None, steps: int | None = None
    ) -> Stages:
        """All stages.

        `max_length` is what the released code validates with: so many characters and no early stop. `steps`: of the
        cross-modal branch, if not as many as the visual branch took.
        """
        positions = (self.model.cfg.max_length if max_length is None else max_length) + 1
        stop = max_length is None
        with self.clock("image"):
            memory = self.encode(images)
        with self.clock("visual"):
            visual = self.greedy(self.visual_decoder, memory, positions, positions, stop)
        both = torch.cat([memory, self.text(visual)], dim=1)
        with self.clock("cross"):
            cross = self.greedy(self.cross_decoder, both, positions, steps or visual.shape[1], stop=False)
        stages = Stages(visual, cross, [], [])
        for _ in range(refine_iters):
            with self.clock("visual"):
                visual = self.cloze(self.visual_decoder, memory, visual, positions)
            both = torch.cat([memory, self.text(visual)], dim=1)
            with self.clock("cross"):
                cross = self.cloze(self.cross_decoder, both, cross, positions)
            stages.visual_refined.append(visual)
            stages.cross_refined.append(cross)
        return stages

    def loss(self, images: Tensor, targets: Tensor, orders: Tensor) -> Tensor:
        """The training objective, order by order: each projects the memory and runs the text tower for itself.

        Args:
            images: (B, 3, H, W).
            targets: (B, T + 1) ids [B] label [E] [P]...
            orders: (K, T + 1), see `draw_orders`.
        """
        ids = self.model.tokenizer
        content, goals = targets[:, :-1], targets[:, 1:]
        padding = torch.zeros(content.shape, device=images.device)
        padding = padding.masked_fill((content == ids.pad) | (content == ids.eos), float("-inf"))
        memory = self.encode(images)
        total: Tensor = torch.zeros((), device=images.device)
        count = 0
        for number, order in enumerate(orders.to(images.device)):
            if number == 2:  # [E] is learned from the first two orders only
                goals = torch.where(goals == ids.eos, ids.pad, goals)
            said = (goals != ids.pad).sum().item()
            count += said
            hidden = torch.zeros(len(order), len(order), device=images.device)
            for i in range(len(order)):
                hidden[order[i], order[i + 1 :]] = float("-inf")
            seen = hidden.masked_fill(torch.eye(len(order), device=images.device).bool(), float("-inf"))
            both = memory
            for decoder in (self.visual_decoder, self.cross_decoder):
                logits = decoder(
                    content, both, slice(0, len(order) - 1), hidden[:-1, :-1], seen[1:, :-1], padding=padding
                )
                wrong = nn.functional.cross_entropy(logits.flatten(0, 1).float(), goals.flatten(), ignore_index=ids.pad)
                total = total + said * wrong
                if both is memory:  # the cross-modal branch teaches neither the image tower nor the visual branch
                    both = torch.cat([memory.detach(), self.text(logits.detach())], dim=1)
        return total / count


class Planted(PsmGraphs):
    """`PsmGraphs` of a model with random weights that write planted words: each call's cost is its own, not its result.

    `wrong` of the positions of the first draft are wrong, which verification has to correct.
    """

    def __init__(self, engine: TorchEngine, pad: int, words: npt.NDArray[np.int64], wrong: float) -> None:
        super().__init__(engine)
        self.pad = pad
        self.words = words  # (B, P) ids, [E] from the end on
        self.drafts = words.copy()
        hit = np.random.default_rng(0).random(words.shape) < wrong
        self.drafts[hit & (words > 0)] = 1

    def visual(self, tokens: Ids, kv: Tensor, mask: Floats) -> Floats:
        """The visual decoder's logits, with the planted ids raised above all."""
        first = bool((tokens[:, 1:] == self.pad).all())
        return self._plant(super().visual(tokens, kv, mask), kv, self.drafts if first else self.words)

    def cross(self, tokens: Ids, kv: Tensor, mask: Floats, memory_mask: Floats) -> Floats:
        """The cross-modal decoder's."""
        return self._plant(super().cross(tokens, kv, mask, memory_mask), kv, self.words)

    def image(self, images: Floats) -> Seen:
        """K/V, of which one number says which row it is of: rows that are finished leave the batch."""
        seen = super().image(images)
        with torch.inference_mode():
            for kv in (seen.visual, seen.cross):
                if kv is not None:
                    kv[:, 0, 0, 0, 0] = torch.arange(len(images)).to(kv)
        return seen

    def _plant(self, logits: Floats, kv: Tensor, words: npt.NDArray[np.int64]) -> Floats:
        rows = kv[:, 0, 0, 0, 0].round().long().cpu().numpy()
        ids = words[rows, : logits.shape[1]]
        np.put_along_axis(logits, ids[..., None], 1e4, axis=2)
        return logits


def plant(stepwise: Stepwise, words: npt.NDArray[np.int64]) -> None:
    """Make the step-by-step model write the same words."""

    def raise_planted(_: nn.Module, inputs: tuple[Any, ...], logits: Tensor) -> Tensor:
        queries: slice = inputs[2]
        ids = torch.from_numpy(words[:, queries]).to(logits.device)
        return logits.scatter(-1, ids[..., None], 1e4)

    for decoder in (stepwise.visual_decoder, stepwise.cross_decoder):
        decoder.register_forward_hook(raise_planted)


class Clocked(TorchEngine):
    """An engine that is timed by stage.

    Projecting a memory to K/V is the decoders' work, as in the step-by-step model.
    """

    def __init__(self, model: Clip4Str, look: Callable[[Floats], Any] | None = None) -> None:
        super().__init__(model)
        self.model = model
        self.look = look  # at images, to the K/V of both decoders; None: the model's own tower
        self.seconds: Counter[str] = Counter()

    def run(self, name: str, *inputs: Any, context: None = None) -> tuple[Any, ...]:
        """The outputs of a graph."""
        model, example = self.model, self.model.visual_decoder.positions
        if name == "image" and self.look is not None:
            return tuple(torch.from_numpy(kv) for kv in self._clock("image", self.look, *inputs))
        if name == "image":
            memory = self._clock("image", model.encode, torch.from_numpy(inputs[0]).to(example))
            visual = self._clock("visual", model.visual_decoder.memory_kv, memory)
            return visual, self._clock("cross", model.cross_decoder.memory_kv, model.cross_memory(memory))
        if name == "text":
            features = self._clock("text", model.text_features, torch.from_numpy(inputs[0]).to(example.device))
            return (self._clock("cross", model.cross_decoder.memory_kv, features),)
        outputs: tuple[Any, ...] = self._clock(name, super().run, name, *inputs)
        return outputs

    def join(self, *inputs: Any) -> Tensor:
        """Image and caption as one memory."""
        joined: Tensor = self._clock("cross", super().join, *inputs)
        return joined

    @torch.inference_mode()
    def _clock(self, stage: str, run: Callable[..., Any], *inputs: Any) -> Any:
        start = now()
        out = run(*inputs)
        if self.model.visual_decoder.positions.is_cuda:
            torch.cuda.synchronize()
        self.seconds[stage] += now() - start
        return out


def random_words(count: int, shortest: int, longest: int, model: Clip4Str) -> npt.NDArray[np.int64]:
    """Ids (count, P) of lower-case words whose lengths are spread evenly from `shortest` to `longest`."""
    rng = np.random.default_rng(0)
    words = np.zeros((count, model.cfg.max_length + 1), np.int64)
    for row, length in zip(words, np.linspace(shortest, longest, count).round().astype(int), strict=True):
        row[:length] = rng.integers(11, 37, length)  # after the digits
    return rng.permutation(words)


def towers(model: Clip4Str, threads: int) -> list[Callable[[Floats], Any]]:
    """The image graphs of an exported pack: that in int8, and that in float32."""
    with tempfile.TemporaryDirectory() as folder:
        pack = export_pack(model, folder, name="b16", weights="float32", int8=True)
        sessions = [open_session(p, "image", PROVIDERS["cpu"], threads) for p in (pack.on_fast_path, pack)]
    return [lambda images, session=session: session.run(None, {"image": images}) for session in sessions]


def measure(
    model: Clip4Str,
    batch: int,
    words: npt.NDArray[np.int64],
    wrong: float,
    repeat: int,
    looks: Sequence[Callable[[Floats], Any] | None] = (None,),
    again: float = 0.0,
) -> dict[str, Any]:
    """Seconds per word by stage, both ways, the least of `repeat` rounds over all words in batches; and the strings.

    `again`: the share of the words that we read a second time, with the last of `looks` instead of the first.
    """
    doubt = np.arange(1, len(words) + 1) * again % 1 < again  # spread evenly
    cfg, device = model.cfg, model.visual_decoder.positions.device
    dtype = model.visual_decoder.positions.dtype
    images = torch.randn(len(words), 3, cfg.image.height, cfg.image.width_px).to(device, dtype)
    plain: list[Counter[str]] = []
    ours: list[Counter[str]] = []
    texts: dict[str, list[str]] = {}
    for _ in range(repeat + 1):  # the first one warms up
        texts = {"plain": [], "ours": []}
        plain.append(Counter())
        ours.append(Counter())
        for start in range(0, len(words), batch):
            part = slice(start, start + batch)
            stepwise = Stepwise(model).to(device, dtype).eval()
            plant(stepwise, words[part])
            begin = now()
            final = stepwise(images[part]).final
            texts["plain"] += [model.tokenizer.decode(row) for row in final.argmax(-1).tolist()]
            plain[-1] += stepwise.seconds + Counter(all=now() - begin)
            for look, rows in ((looks[0], slice(None)), (looks[-1], doubt[part])):
                engine = Clocked(model, look)
                graphs = Planted(engine, model.tokenizer.pad, words[part][rows], wrong)
                begin = now()
                readings = read_psm(graphs, images[part][rows].float().cpu().numpy(), cfg.spec)
                ours[-1] += engine.seconds + Counter(all=now() - begin)
                if isinstance(rows, slice):
                    texts["ours"] += [reading.text for reading in readings]
    best = {name: min(rounds[1:], key=lambda r: r["all"]) for name, rounds in (("plain", plain), ("ours", ours))}
    seconds = {name: {k: v / len(words) for k, v in round_.items()} for name, round_ in best.items()}
    decoders = {name: s["visual"] + s["cross"] for name, s in seconds.items()}
    return {
        "batch": batch,
        "words": len(words),
        "seconds per word": seconds,
        "shares": {name: {k: v / s["all"] for k, v in s.items()} for name, s in seconds.items()},
        "decoders faster": decoders["plain"] / decoders["ours"],
        "all faster": seconds["plain"]["all"] / seconds["ours"]["all"],
        "strings equal": sum(a == b for a, b in zip(texts["plain"], texts["ours"], strict=True)) / len(words),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="clip4str-b16", help="preset")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--words", type=int, default=46)
    parser.add_argument("--lengths", type=int, nargs=2, default=(3, 25))
    parser.add_argument("--wrong", type=float, default=0.1, help="share of the first draft's characters that is wrong")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--again", type=float, default=0.0, help="share of words that is read again in float32")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--layers", type=int, help="of both towers, to try this out")
    args = parser.parse_args()
    global BUSY
    BUSY = args.busy
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cfg = CLIP4STR_PRESETS[args.model]
    if args.layers:
        cfg = replace(cfg, image=replace(cfg.image, layers=args.layers), text=replace(cfg.text, layers=args.layers))
    model = Clip4Str(cfg).eval().to(args.device, torch.bfloat16 if args.bf16 else torch.float32)
    words = random_words(args.words, *args.lengths, model)
    looks = towers(model, args.threads) if args.int8 else (None,)
    result: dict[str, Any] = {"model": args.model, "threads": args.threads, "busy": args.busy}
    result |= {"dtype": "bfloat16" if args.bf16 else "int8" if args.int8 else "float32", "again": args.again}
    result |= measure(model, args.batch, words, args.wrong, args.repeat, looks, args.again)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
