"""`wordsight-research pretrain`: the miniature CLIP."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.progress import progress
from wordsight_research.cli.app import app

if TYPE_CHECKING:
    from wordsight.models.clip import Clip
    from wordsight_research.clip.scenes import ScenePairs
    from wordsight_research.clip.training import Pairs, Pretraining
    from wordsight_research.clip.words import WordPairs

pretrain_app = typer.Typer(
    help="Train a miniature CLIP: an image tower and a text tower that match texts to pictures.",
    no_args_is_help=True,
)
app.add_typer(pretrain_app, name="pretrain")

_OUT = typer.Option(..., "--out", "-o", help="Checkpoint folder. If interrupted, the same command resumes.")
_FONTS = typer.Option([], help="Folder of fonts; may be repeated. Default: the system's.")
_STEPS = typer.Option(2000, min=1, help="Training steps.")
_BATCH = typer.Option(128, min=2, help="Pairs per step; each is contrasted with all the others.")
_LR = typer.Option(1e-3, min=0, help="Peak learning rate.")
_EVERY = typer.Option(
    200, min=1, help="Steps between measurements on held-out pairs; a killed run loses at most this many."
)
_WORKERS = typer.Option(0, min=0, help="Extra processes that prepare pairs.")
_SEED = typer.Option(0, help="Seed for weights and pairs.")


@pretrain_app.callback()
def _group() -> None:
    """Train a miniature CLIP: an image tower and a text tower that match texts to pictures."""


@pretrain_app.command()
def scenes(
    folders: list[Path] = typer.Argument(
        None, help="Training scenes: folders with scenes.jsonl. Without any, only rendered scenes."
    ),
    out: Path = _OUT,
    rendered: int = typer.Option(2400, min=0, help="Rendered scenes to add; kept in OUT/rendered."),
    real_share: float = typer.Option(0.5, min=0, max=1, help="Share of batches of real scenes."),
    side: int = typer.Option(
        96, min=16, help="Side of the square that scenes are resized to, in pixels; a multiple of 16."
    ),
    width: int = typer.Option(128, min=32, help="Width of the image tower; a multiple of 32."),
    layers: int = typer.Option(2, min=1, help="Transformer layers of each tower."),
    fonts: list[Path] = _FONTS,
    steps: int = _STEPS,
    batch_size: int = _BATCH,
    lr: float = _LR,
    every: int = _EVERY,
    workers: int = _WORKERS,
    seed: int = _SEED,
) -> None:
    """Whole scenes and the words they hold: a scene encoder for CLIPTER (`wordsight-research context --encoder OUT`).

    The last tenth of every folder, and of rendered scenes, is held out. It is not OpenAI's CLIP.
    """
    from wordsight.errors import ConfigError
    from wordsight_research.clip.scenes import ScenePairs, SmallScene, held_out_pairs, render, scene_clip, split
    from wordsight_research.clip.training import Pretraining, new_clip

    if side % 16 or width % 32:
        raise ConfigError(f"--side {side} --width {width}: give multiples of 16 and of 32")
    if not folders and not rendered:
        raise ConfigError("no scenes: give folders with scenes.jsonl, or --rendered COUNT")
    kinds: dict[str, list[Path]] = {"real": list(folders or [])}
    if rendered:
        typer.echo(f"{rendered} rendered scenes: {out / 'rendered'}", err=True)
        kinds["rendered"] = render(out / "rendered", rendered, seed, fonts)
    model = new_clip(scene_clip(side, width, layers), seed)
    small, weights, held_out, counts = [], [], {}, {}
    for kind, paths in kinds.items():
        if not paths or not (share := real_share if kind == "real" else 1 - real_share):
            continue
        training, others = split(paths)
        small.append([SmallScene.of(s, side * 5 // 4) for s in progress(training, len(training), f"{kind} scenes")])
        weights.append(share)
        held_out[kind] = held_out_pairs(model, others)
        counts[kind] = len(training)
    plan = Pretraining(steps, batch_size, lr, every=every, workers=workers, seed=seed)
    about = {
        "miniature_clip": "scenes",
        "pairs": counts,
        "real_share": real_share,
        "data": [f.name for f in folders or []],
    }
    _run(model, ScenePairs(model, small, weights, batch_size, seed), held_out, plan, out, about)


@pretrain_app.command()
def words(
    folders: list[Path] = typer.Argument(None, help="Training words: folders with labels.tsv, LMDB or scenes.jsonl."),
    out: Path = _OUT,
    model: str = typer.Option(
        "clip4str-tiny",
        help="Preset to train the towers of; compact: that of `wordsight-research ablate`, on its plain words.",
    ),
    real_share: float = typer.Option(0.25, min=0, max=0.99, help="Share of real words."),
    words: list[Path] = typer.Option([], help="Word list to render; may be repeated."),
    backgrounds: Path | None = typer.Option(None, help="Folder of pictures to use as backgrounds."),
    fonts: list[Path] = _FONTS,
    steps: int = _STEPS,
    batch_size: int = _BATCH,
    lr: float = _LR,
    every: int = _EVERY,
    workers: int = _WORKERS,
    seed: int = _SEED,
) -> None:
    """Rendered and real words with their labels: towers for CLIP4STR (`wordsight-research ablate --clip OUT`).

    The last tenth of every folder is held out. It is not OpenAI's CLIP.
    """
    from wordsight.errors import ConfigError
    from wordsight.models.clip4str import CLIP4STR_PRESETS
    from wordsight.synth.config import RenderConfig
    from wordsight.synth.words import RenderedWords
    from wordsight_research.ablations.build import COMPACT, compact
    from wordsight_research.ablations.plain import PlainWords
    from wordsight_research.clip.training import Pretraining, new_clip
    from wordsight_research.clip.words import word_clip, word_pairs

    known = {COMPACT: compact(), **CLIP4STR_PRESETS}
    if model not in known:
        raise ConfigError(f"no CLIP4STR model is called {model!r}: choose one of {', '.join(known)}")
    towers = new_clip(word_clip(known[model]), seed)
    plain = model == COMPACT and not (words or backgrounds or fonts)

    def source(number: int) -> PlainWords | RenderedWords:
        if plain:
            return PlainWords(seed=number)
        config = RenderConfig(empty=0)  # nothing can be paired with no text
        return RenderedWords(seed=number, fonts=fonts or None, words=words, backgrounds=backgrounds, config=config)

    # Seeds that trainings and tables, which count from 0, do not come to
    first = 2**20 + 2 * seed
    pairs, held_out = word_pairs(
        towers, source(first), source(first + 1), folders or [], real_share if folders else 0.0, batch_size, seed
    )
    plan = Pretraining(steps, batch_size, lr, every=every, workers=workers, seed=seed)
    about = {
        "miniature_clip": "words",
        "preset": model,
        "plain": plain,
        "pairs": steps * batch_size,
        "real_share": real_share if folders else 0.0,
        "data": [folder.name for folder in folders or []],
    }
    _run(towers, pairs, held_out, plan, out, about)


def _run(
    model: "Clip",
    pairs: "ScenePairs | WordPairs",
    held_out: "dict[str, Pairs]",
    plan: "Pretraining",
    out: Path,
    about: dict[str, object],
) -> None:
    import sys

    from wordsight_research.clip.training import pretrain

    found = pretrain(
        model, pairs, held_out, plan, out, about, lambda text: typer.echo(text, err=True), sys.stderr.isatty()
    )
    for kind, one in found.items():
        typer.echo(f"{kind}: {one}")
    if not found:
        typer.echo(f"{out}: nothing is left to do")
    parameters = sum(p.numel() for p in model.image_tower.parameters())
    typer.echo(f"{out}: miniature CLIP, image tower of {parameters / 1e6:.2f} M parameters")
