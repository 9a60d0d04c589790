"""`wordsight models export`."""

from pathlib import Path

import typer

from wordsight.cli.models import models
from wordsight.cli.options import Out
from wordsight.errors import ConfigError, ModelError


@models.command()
def export(
    out: Out,
    checkpoint: Path = typer.Argument(help="Folder with model.safetensors and config.json."),
    adapter: Path | None = typer.Option(
        None, help="Include the adapters in this folder, trained on this checkpoint. LoRA is merged."
    ),
    name: str | None = typer.Option(None, help="Call the pack this. Default: the name of its folder."),
    int8: bool = typer.Option(False, "--int8", help="Store weights as int8: a quarter of the size, but no faster."),
    int8_arithmetic: bool = typer.Option(
        False,
        "--int8-arithmetic",
        help="Run the image tower in int8 first: faster, not smaller. Doubtful words are read again in float32.",
    ),
    float32: bool = typer.Option(False, "--float32", help="Store weights as float32 instead of float16."),
    visual_only: bool = typer.Option(
        False, "--visual-only", help="Leave out the cross-modal branch. Done anyway if it is not trained yet."
    ),
    temperature: float = typer.Option(1.0, min=0.01, help="Divide the logits by this temperature."),
    licence: str | None = typer.Option(
        None,
        help="State this licence of the weights. Default: Apache-2.0, or not stated if they or the scene encoder's "
        "came from others.",
    ),
    facts: Path | None = typer.Option(
        None, "--about", help="Add the facts in this JSON object to the pack: data, cost, scores."
    ),
    scene_encoder: str | None = typer.Option(
        None,
        metavar="NAME",
        help="Give a model with CLIPTER this scene encoder: a folder, a name on the hub, ... Default: as trained.",
    ),
    allow_download: bool = typer.Option(
        False, "--allow-download", help="Download the scene encoder that the checkpoint names from the hub."
    ),
) -> None:
    """Export a trained checkpoint as a pack, which runs without PyTorch."""
    import json

    from wordsight.cli.output import check_folder
    from wordsight.models import checkpoint as checkpoints
    from wordsight.models.peft import load_adapter, merge_lora
    from wordsight.models.peft.files import gates
    from wordsight.models.ppocr import Db
    from wordsight.models.recognizer import Recognizer
    from wordsight.weights.encoders import encoder_facts
    from wordsight.weights.encoders import scene_encoder as find_scene_encoder
    from wordsight.weights.export import export_detector, export_pack

    if int8 and float32:
        raise ConfigError("--int8 and --float32 exclude each other: give one")
    check_folder(out)
    model, about = checkpoints.load(checkpoint)
    if not isinstance(model, Recognizer | Db):
        raise ModelError(f"{checkpoint} holds CLIP's towers, which cannot read yet: train a recognizer from them first")
    if new := about.get("converted", {}).get("new"):
        raise ModelError(
            f"{checkpoint} reads nothing yet, its {' and '.join(new)} being random: train a recognizer from it first"
        )
    if facts:
        try:
            about |= json.loads(facts.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"{facts} is not a JSON object ({error}): give one with --about") from None
    stated = licence or ("not stated" if "converted" in about else "Apache-2.0")
    if isinstance(model, Db):
        if int8 or int8_arithmetic or visual_only or scene_encoder:
            raise ConfigError(f"{checkpoint} holds a detector: only --name, --licence and --about apply")
        detector = export_detector(model, out, name=name or out.resolve().name, about={"licence": stated} | about)
        typer.echo(f"{out}: {detector.file.name}, {detector.file.stat().st_size / 1e6:.1f} MB, verified")
        return
    if adapter:
        model = load_adapter(model, adapter)
    merge_lora(model)
    scenes = find_scene_encoder(model, about, scene_encoder, download=allow_download)
    if scenes is not None:
        about["gates"] = gates(model)
        about["scene encoder"] = encoder_facts(model, scene_encoder)
        if licence is None and about["scene encoder"]["licence"] == "not stated":  # its weights are in the pack, too
            stated = "not stated"
    pack = export_pack(
        model,
        out,
        name=name or out.resolve().name,
        weights="int8" if int8 else "float32" if float32 else "float16",
        int8=int8_arithmetic,
        cross=not visual_only and about.get("cross", True),
        temperature=temperature,
        about={"licence": stated} | about,
        scenes=scenes,
    )
    graphs = [graph.file for graph in pack.graphs.values()] + ([pack.fast.file] if pack.fast else [])
    typer.echo(f"{out}: {', '.join(graphs)}, {pack.bytes / 1e6:.1f} MB, verified")
