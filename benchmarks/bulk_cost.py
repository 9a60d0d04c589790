"""How long a bulk job takes on many machines: a simulation of shards, starts, slow machines and machines that are lost.

    python benchmarks/bulk_cost.py [--photos 10e6] [--machines 100] [--seconds 0.5] ...

Each process takes the next shard that is left, as with `--engine ray`, or has every N-th one, as with `--shard I/N`.
A process that is lost costs its unfinished shard and a new start. The help of each option says whether its default was
measured or is a guess. `--seconds` decides most: `wordsight bulk` on a hundred photos of yours with one worker tells.
"""

import argparse
import heapq
import json

import numpy as np

HOUR = 3600


def hours(args: argparse.Namespace, size: int, dice: np.random.Generator, *, shared: bool) -> float:
    """Of one simulated job with shards of `size` photos; `shared`: who has nothing to do takes what is left."""
    shards = -(-int(args.photos) // size)
    speeds = dice.lognormal(0, args.spread, args.machines)  # of machines; their processes share it
    photo = args.seconds + args.fetch / args.overlap
    # All processes of a machine work at one shard after the other (`local` engine), and for Ray at one each.
    workers = args.machines * (args.processes if shared else 1)
    rate = 1 if shared else args.processes
    queue = [(args.start + args.listing, worker) for worker in range(workers)]
    heapq.heapify(queue)
    left = shards
    own = np.full(workers, shards // workers) + (np.arange(workers) < shards % workers)
    end = 0.0
    while queue:
        now, worker = heapq.heappop(queue)
        if shared and left == 0:
            continue
        if not shared and own[worker] == 0:
            continue
        machine = worker // args.processes if shared else worker
        # The sum over a shard of photos that differ is nearly normal.
        work = dice.normal(size, args.variation * size**0.5) * photo * speeds[machine] / rate
        took = max(0.0, work) + args.write
        lost = dice.exponential(args.lifetime * HOUR * (args.processes if shared else 1))
        if lost < took:
            heapq.heappush(queue, (now + lost + args.replace + args.start, worker))
            continue
        left -= 1
        own[worker] -= 1
        end = max(end, now + took)
        heapq.heappush(queue, (now + took, worker))
    return end / HOUR


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=float, default=10e6)
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--processes", type=int, default=16, help="of each machine, one for each core (assumed)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a core for a photo (measured, docs/bulk.md)")
    parser.add_argument("--variation", type=float, default=0.5, help="deviation / mean of that (guess)")
    parser.add_argument("--start", type=float, default=60, help="until a machine reads: image, Python, model (guess)")
    parser.add_argument(
        "--listing", type=float, default=60, help="of the photos, from a Parquet file (measured: 2 s a million)"
    )
    parser.add_argument("--fetch", type=float, default=0.05, help="of an object store for a photo (guess)")
    parser.add_argument("--overlap", type=float, default=1, help="fetches at a time in a process (it is one)")
    parser.add_argument("--write", type=float, default=0.5, help="of a part, to the object store (guess)")
    parser.add_argument("--spread", type=float, default=0.1, help="of machines' speeds, as a logarithm (guess)")
    parser.add_argument("--lifetime", type=float, default=200, help="hours until a machine is taken away (guess)")
    parser.add_argument("--replace", type=float, default=120, help="until another one is there (guess)")
    args = parser.parse_args()
    ideal = args.photos * (args.seconds + args.fetch) / (args.machines * args.processes) / HOUR
    out = {"ideal": {"hours": round(ideal, 2), "core hours": round(ideal * args.machines * args.processes)}}
    for size in (100, 1000, 10_000):
        for name, shared in (("ray", True), ("--shard I/N", False)):
            runs = [hours(args, size, np.random.default_rng(seed), shared=shared) for seed in range(5)]
            out[f"{name}, {size} photos a shard"] = {
                "hours": round(float(np.mean(runs)), 2),
                "efficiency": round(ideal / float(np.mean(runs)), 2),
            }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
