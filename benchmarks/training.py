"""How near training comes to what the machine can do, and where the rest of the time goes.

    python benchmarks/training.py [--device cuda] [--batch 512] [--steps 30] [--compile] [--released]

For each model: parameters, operations per crop (forward and backward, two for a multiplication with addition, counted
by PyTorch), steps and crops per second, and the model FLOPs utilisation: operations per second over those of one large
matrix product, timed in the same run, in bfloat16 on a GPU and in float32 on a CPU. Then the operations that take most
time, by their own time. A step is what `wordsight train` does after the batch has arrived: loss, gradients, clipping,
AdamW; on a GPU under bfloat16 autocast. Crops are noise: what they show costs no time.
Labels are drawn as for rendering, so batches are as long as in training; `--pool` as in the recipes.

`--released` (with sizes of the paper, `--models clip4str-b16`) times both branches a second time as CLIP4STR's authors
train them (`stepwise.py`): order by order, a pass of the text tower for each, captions by way of strings, AdamW in more
than one kernel. Labels, orders and number format are the same.
"""

import argparse
import random
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext

import torch
from stepwise import Stepwise
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import AdamW
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.parseq.permutations import draw_orders
from wordsight.synth.kinds import Texts
from wordsight.train.module import compile_parts

Step = Callable[[int], None]


def now(device: torch.device) -> float:
    """Seconds, when all that was asked for is done. On a CPU those of this process: other work then counts little."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time() / torch.get_num_threads()


def ceiling(device: torch.device) -> float:
    """Operations per second of a large matrix product: the best of some."""
    size, dtype, repeats = (8192, torch.bfloat16, 20) if device.type == "cuda" else (1536, torch.float32, 4)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        start = now(device)
        for _ in range(repeats):
            a @ b
        best = min(best, (now(device) - start) / repeats)
    return float(2 * size**3 / best)


def labels(count: int, longest: int) -> list[str]:
    """As they are rendered, without word lists."""
    texts, generator = Texts(), random.Random(0)
    drawn = (texts.draw(generator, "street") for _ in iter(int, 1))
    found = []
    while len(found) < count:
        if len(text := next(drawn)) <= longest and text.isascii():
            found.append(text)
    return found


def training_step(model: Clip4Str, options: argparse.Namespace, cross: bool, released: bool = False) -> Step:
    """Does step number i; after `options.pool` of them labels are the same again."""
    cfg, device, size = model.cfg, torch.device(options.device), options.batch
    texts = labels(options.pool * size, cfg.max_length)
    if options.pool > 1:
        texts.sort(key=len)
    images = torch.randn(size, 3, cfg.image.height, cfg.image.width_px, device=device)
    targets = [
        torch.from_numpy(model.tokenizer.encode(texts[i * size : (i + 1) * size])).to(device)
        for i in range(options.pool)
    ]
    on_gpu = device.type == "cuda"
    stepwise = Stepwise(model).train().to(device) if released else None
    parameters = model.param_groups(1e-4, 1.0, 0.05) if stepwise is None else stepwise.parameters()
    optimizer = AdamW(parameters, lr=1e-4, betas=(0.9, 0.98), eps=1e-6, fused=stepwise is None)

    def loss(i: int) -> torch.Tensor:
        goals, drawn = targets[i % options.pool], torch.Generator().manual_seed(i)
        if stepwise is None:
            return model.loss(images, goals, drawn, cross=cross).total
        return stepwise.loss(images, goals, draw_orders(goals.shape[1] - 2, cfg.num_permutations, drawn))

    def step(i: int) -> None:
        with torch.autocast("cuda", torch.bfloat16) if on_gpu else nullcontext():
            total = loss(i)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def operations(step: Step, count: int) -> float:
    """Of a step, on average over `count`. Nothing is fused or compiled for that: not all of it would be counted."""
    eager = torch.compiler.set_stance("force_eager")
    with eager, FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        for i in range(count):
            step(i)
    return counter.get_total_flops() / count


def seconds(step: Step, count: int, device: torch.device) -> float:
    """Of a step, on average over `count`."""
    for i in range(2 if device.type == "cpu" else 5):  # the first ones are slow
        step(i)
    start = now(device)
    for i in range(count):
        step(i)
    return (now(device) - start) / count


def waits(step: Step) -> int:
    """How often a step waits for the GPU."""
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        step(0)
    torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in found)


def table(step: Step, device: torch.device, rows: int) -> None:
    """Prints the operations that take most time."""
    on_gpu = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as profiler:
        start = now(device)
        for i in range(3):
            step(i)
        wall = (now(device) - start) * 1e6
    times = {
        event.key: (event.self_device_time_total if on_gpu else event.self_cpu_time_total, event.count // 3)
        for event in profiler.key_averages()
        if not on_gpu or str(event.device_type).endswith("CUDA")
    }
    total = sum(own for own, _ in times.values())
    print("| operation | share of the time | a step |\n|---|---|---|")
    for name, (own, count) in sorted(times.items(), key=lambda item: -item[1][0])[:rows]:
        print(f"| {name[:60]} | {100 * own / total:.1f} % | {count} |")
    if on_gpu:
        print(f"\nThe GPU is busy for {100 * total / wall:.0f} % of the time (while it is watched).")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["clip4str-tiny", "clip4str-small"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--pool", type=int, default=1, help="batches that are sorted by length together")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--released", action="store_true")
    parser.add_argument("--rows", type=int, default=10, help="of the profile; 0: none")
    options = parser.parse_args()
    device = torch.device(options.device)

    top = ceiling(device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} threads of a CPU"
    print(f"{name}, torch {torch.__version__}, batch {options.batch}, pool {options.pool}", end="")
    print(f"; one large matrix product: {top / 1e12:.3g} TFLOP/s\n")
    print("| model | branches | parameters | GFLOP a crop | steps/s | crops/s | of the matrix product | waits |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    profiled = {}
    for preset in options.models:
        model = Clip4Str(CLIP4STR_PRESETS[preset]).train().to(device)
        if options.compile:
            compile_parts(model)
        millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        rows = [("visual", False, False), ("both", True, False)]
        for branches, cross, released in [*rows, ("both, as released", True, True)] if options.released else rows:
            step = training_step(model, options, cross, released)
            each = operations(step, options.pool) / options.batch
            once = seconds(step, max(options.steps, options.pool), device)
            found = waits(step) if device.type == "cuda" else "-"
            row = [preset, branches, f"{millions:.1f} M", f"{each / 1e9:.2f}", f"{1 / once:.2f}"]
            row += [f"{options.batch / once:.0f}", f"{100 * each * options.batch / once / top:.1f} %", f"{found}"]
            print(f"| {' | '.join(row)} |", flush=True)
            if not released:
                profiled[preset] = step
    for preset, step in profiled.items() if options.rows else ():
        print(f"\n{preset}, both branches:\n")
        table(step, device, options.rows)


if __name__ == "__main__":
    main()
