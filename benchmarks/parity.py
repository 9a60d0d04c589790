"""What exporting and storing weights smaller does to a trained checkpoint: equal strings, logits, accuracy, size.

    python benchmarks/parity.py CHECKPOINT [--rendered 2000] [--data DATA] [--threads 2] [--json FILE]

Every form of the pack (float32, float16, int8, and with int8 arithmetic) reads the same rendered words, and the real
crops of DATA, as the model in PyTorch does. 'largest difference' is between final logits of words that both read alike.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wordsight.data import Sample, open_source
from wordsight.decoding import PsmGraphs, decode_psm, reading
from wordsight.evaluate import PROTOCOLS, Record, score
from wordsight.imaging import prepare
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.reading import TorchEngine
from wordsight.runtime.onnx import OnnxEngine
from wordsight.runtime.sessions import PROVIDERS
from wordsight.synth.words import RenderedWords
from wordsight.weights.export import WEIGHTS, export_graphs, export_pack
from wordsight.weights.quantize import MARGIN

BATCH = 50
PROTOCOL = PROTOCOLS["36"]


@dataclass(frozen=True)
class Row:
    """One form of the weights on one set of crops, beside PyTorch with the checkpoint's own."""

    form: str
    megabytes: float
    crops: str
    n: int
    equal: float
    difference: float
    accuracy: float


def read(graphs: PsmGraphs, model: Clip4Str, samples: Sequence[Sample]) -> list[np.ndarray]:
    """Final logits of every sample."""
    logits = []
    for start in range(0, len(samples), BATCH):
        images = prepare([sample.image for sample in samples[start : start + BATCH]], model.cfg.preprocessing)
        logits += decode_psm(graphs, images, model.cfg.spec).logits
    return logits


def compare(
    form: str, megabytes: float, crops: str, model: Clip4Str, samples: Sequence[Sample], logits: Any, reference: Any
) -> Row:
    """One row of the table."""
    texts, wanted = ([model.tokenizer.decode(x.argmax(1)) for x in side] for side in (logits, reference))
    alike = [a == b for a, b in zip(texts, wanted, strict=True)]
    differences = [np.abs(a - b).max() for a, b, same in zip(logits, reference, alike, strict=True) if same]
    records = [Record(crops, sample.id, sample.text, text, 1.0) for sample, text in zip(samples, texts, strict=True)]
    accuracy = score(records, PROTOCOL).accuracy
    return Row(
        form, megabytes, crops, len(samples), float(np.mean(alike)), float(max(differences, default=0)), accuracy
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rendered", type=int, default=2000, help="rendered words to read")
    parser.add_argument("--data", type=Path, action="append", default=[], help="real crops to read; may be repeated")
    parser.add_argument("--limit", type=int, help="only the first crops of each DATA")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    model, about = checkpoint.load(options.checkpoint)
    cross = about.get("cross", True)
    rendered = RenderedWords(seed=2_000)  # not a seed of training
    sets = {"rendered": [rendered[i] for i in range(options.rendered)]}
    for path in options.data:
        source = open_source(path)
        sets[path.name] = [source[i] for i in range(min(len(source), options.limit or len(source)))]

    torch_graphs = PsmGraphs(TorchEngine(model, cross=cross))
    reference = {name: read(torch_graphs, model, samples) for name, samples in sets.items()}
    rows = [compare("torch", 0, k, model, sets[k], logits, logits) for k, logits in reference.items()]
    protos = export_graphs(model, cross=cross)
    with tempfile.TemporaryDirectory() as folder:
        for form in WEIGHTS:
            pack = export_pack(model, Path(folder) / form, graphs=protos, name=form, weights=form)
            graphs = PsmGraphs(OnnxEngine(pack, PROVIDERS["cpu"], options.threads))
            for name, samples in sets.items():
                logits = read(graphs, model, samples)
                rows.append(compare(form, pack.bytes / 1e6, name, model, samples, logits, reference[name]))
        pack = export_pack(model, Path(folder) / "quick", graphs=protos, name="quick", weights="float32", int8=True)
        graphs = PsmGraphs(OnnxEngine(pack, PROVIDERS["cpu"], options.threads))
        size, fast = pack.bytes / 1e6, PsmGraphs(graphs.engine.on_fast_path())
        for name, samples in sets.items():
            quick, exact = read(fast, model, samples), read(graphs, model, samples)
            doubt = [reading(x, model.tokenizer).margin < MARGIN for x in quick]
            logits = [b if again else a for a, b, again in zip(quick, exact, doubt, strict=True)]
            rows.append(compare("int8 arithmetic", size, name, model, samples, quick, reference[name]))
            form = f"the same, {100 * np.mean(doubt):.1f} % read again"
            rows.append(compare(form, size, name, model, samples, logits, reference[name]))
    show(rows)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def show(rows: Sequence[Row]) -> None:
    """Prints the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "weights", "MB", "crops", "n", "equal strings %", "largest difference", f"accuracy % ({PROTOCOL.name})"
    )
    for row in rows:
        size = f"{row.megabytes:.1f}" if row.megabytes else ""
        numbers = (f"{100 * row.equal:.2f}", f"{row.difference:.2g}", f"{100 * row.accuracy:.2f}")
        table.add_row(row.form, size, row.crops, str(row.n), *numbers)
    Console().print(table)


if __name__ == "__main__":
    main()
