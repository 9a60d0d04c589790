"""What a training step of CLIP4STR keeps in memory, from two small batches on any machine.

    python benchmarks/memory.py [--model clip4str-b16] [--batch 128]

"kept" is what the forward pass leaves for the backward pass, every storage once, weights apart: the peak of a step, but
for the working space of single operations and what an allocator loses. It is counted on batches of 2 and 4 and grows
along a line with the batch. Weights, gradients and AdamW's two moments, all in float32 as in mixed precision, come on
top. Captions are all distinct, the worst case.
"""

import argparse
import json

import torch
from torch import Tensor

from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.parseq.permutations import draw_orders

GIB = 2**30


def kept(model: Clip4Str, batch: int, orders: Tensor, dtype: torch.dtype) -> int:
    """Bytes that the forward pass keeps: `batch` images, and labels as long as the orders (K, T + 1) are."""
    cfg = model.cfg
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, Tensor] = {}  # the tensors too, so that no address is used twice

    def note(tensor: Tensor) -> Tensor:
        if (address := tensor.untyped_storage().data_ptr()) not in weights:
            found[address] = tensor
        return tensor

    targets = torch.from_numpy(model.tokenizer.encode(["a" * (orders.shape[1] - 2)] * batch))
    images = torch.zeros(batch, 3, cfg.image.height, cfg.image.width_px)
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        losses = model.loss(images, targets, torch.Generator(), orders=orders)
    total = sum(tensor.untyped_storage().nbytes() for tensor in found.values())
    del losses
    return total


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="clip4str-b16", help="preset")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--length", type=int, default=25, help="characters of the longest label")
    args = parser.parse_args()
    model = Clip4Str(CLIP4STR_PRESETS[args.model]).train()
    model.encode_captions = lambda captions: (model.text_features(captions), None)  # type: ignore[method-assign]
    orders = draw_orders(args.length, model.cfg.num_permutations, torch.Generator())
    weights = sum(parameter.numel() for parameter in model.parameters())
    out = {}
    for dtype in (torch.float32, torch.bfloat16):
        for checkpointing in (False, True):
            model.checkpointing(checkpointing)
            two, four = (kept(model, batch, orders, dtype) for batch in (2, 4))
            size = two + (four - two) / 2 * (args.batch - 2)
            name = str(dtype).removeprefix("torch.") + (", checkpointing" if checkpointing else "")
            out[name] = {"kept GiB": round(size / GIB, 1), "in all GiB": round((size + 16 * weights) / GIB, 1)}
    print(json.dumps({"model": args.model, "batch": args.batch, "length": args.length} | out, indent=1))


if __name__ == "__main__":
    main()
