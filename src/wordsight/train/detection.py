"""Training a detector: objective, optimiser, H-mean of its boxes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from lightning import LightningModule, Trainer
from numpy.typing import NDArray
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from wordsight.data.scenes import Scene
from wordsight.detect.frames import framed, network_input
from wordsight.detect.glance import SUSPICION, text_map
from wordsight.detect.maps import find_regions
from wordsight.errors import ConfigError
from wordsight.evaluate import score_boxes
from wordsight.evaluate.spotting import SpottingScore
from wordsight.models import checkpoint
from wordsight.models.ppocr import DB_PRESETS, Db, Glance, GlanceConfig
from wordsight.models.ppocr.detector import MapHead
from wordsight.train.callbacks import KeepModel
from wordsight.train.detection_data import MapBatch
from wordsight.train.detection_loss import db_loss, glance_loss
from wordsight.train.schedules import warmup_stable_decay

UNCLIP = 1.5
"""How far boxes reach around the cores that are taught here, which are words shrunk by `detection_maps.SHRINK`."""


class Detection(lightning.LightningModule):
    """Trains a detector, and the glance that says where it has to look.

    The head that makes thresholds is of use in training alone, and in no checkpoint folder.

    Args:
        model: name of a preset.
        start: checkpoint folder of a detector to start from, which then decides all sizes.
        lr: peak learning rate.
        glance_lr: peak learning rate of the glance, which starts from scratch where `start` has none.
        glance_only: train the glance alone; the detector stays as it is.
        weight_decay: AdamW's, for matrices.
        warmup: steps until the peak.
        decay: the last steps of `trainer.max_steps`, over which the learning rate falls to 0. 0: it stays.
        max_side: long side of pictures in validation, in pixels.
        seed: of what is random in the weights.

    Raises:
        ConfigError: there is no such preset, or `start` holds no detector.
        ModelError: `start` is no checkpoint folder.
    """

    def __init__(
        self,
        model: str = "db",
        start: Path | None = None,
        lr: float = 1e-3,
        glance_lr: float = 2e-3,
        glance_only: bool = False,
        weight_decay: float = 1e-2,
        warmup: int = 200,
        decay: int = 0,
        max_side: int = 1280,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if model not in DB_PRESETS:
            raise ConfigError(f"no detector is called {model!r}: choose one of {', '.join(DB_PRESETS)}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = Db(DB_PRESETS[model])
            if start:
                given = checkpoint.load(start)[0]
                if not isinstance(given, Db):
                    raise ConfigError(f"{start} holds a {given.architecture}: give a detector's checkpoint folder")
                self.model = _with_glance(given).train()
            self.thresholds = MapHead(self.model.cfg.width)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as quick on a CPU
        if start:  # what finds cores knows most of what there is to know of their borders
            self.thresholds.load_state_dict(self.model.head.state_dict())
        if glance_only:
            self.requires_grad_(False)
            self.glance.requires_grad_(True)
        self.lr, self.weight_decay, self.warmup, self.decay, self.max_side = lr, weight_decay, warmup, decay, max_side
        self.glance_lr, self.glance_only = glance_lr, glance_only

    @property
    def glance(self) -> Glance:
        """The model's."""
        assert self.model.glance is not None  # noqa: S101 - presets have one, and what is started from is given one
        return self.model.glance

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Maps go there; scenes are read where they are."""
        return batch.to(device) if isinstance(batch, MapBatch) else batch

    def training_step(self, batch: MapBatch, batch_idx: int) -> torch.Tensor:
        """One part of a step."""
        loss = glance_loss(self.glance(F.avg_pool2d(batch.images, 2)), batch.core, batch.counts)
        parts = {"glance": loss.detach()}
        if not self.glance_only:
            features = self.model.features(batch.images)
            text, threshold = self.model.head(features)[:, 0], self.thresholds(features)[:, 0]
            maps, more = db_loss(text, threshold, batch.core, batch.counts, batch.threshold, batch.near)
            loss, parts = loss + maps, parts | more
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=1)
        self.log_dict({f"train/{name}": value for name, value in parts.items()}, batch_size=1)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Nothing is counted yet."""
        self._score = score_boxes([], [], [])

    def validation_step(self, batch: Scene, batch_idx: int) -> None:
        """Find the words of a scene and count them."""
        whole, frame = framed(batch.load(), self.max_side)
        looked_at = 0

        def blocks(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.asarray(torch.sigmoid(self.glance(self._shown(picture)))[0].float().cpu())

        def pixels(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            nonlocal looked_at
            looked_at += picture.size
            return np.asarray(self.model(self._shown(picture))[0, 0].float().cpu())

        regions = find_regions(text_map(whole, blocks, pixels, SUSPICION), 0.3, 0.5, UNCLIP)
        self.log("val/looked_at", 100 * looked_at / whole.size, batch_size=1, sync_dist=True)
        found = [frame.to_picture(polygon) for polygon, _ in regions]
        words = batch.words
        self._score += score_boxes([word.polygon for word in words], [word.legible for word in words], found)

    def _shown(self, picture: NDArray[np.uint8]) -> torch.Tensor:
        return torch.from_numpy(network_input(picture, self.model.cfg.mean, self.model.cfg.std)).to(self.device)

    def on_validation_epoch_end(self) -> None:
        """Log precision, recall and H-mean over all scenes, in percent, beside the share of them that was looked at."""
        counts = torch.tensor([self._score.paired, self._score.found, self._score.truths], device=self.device)
        counts = self.trainer.strategy.reduce(counts, reduce_op="sum")
        paired, found, truths = map(int, counts)
        score = SpottingScore(1, truths, found, paired, 0, 0, 0)
        for name, value in zip(("precision", "recall", "hmean"), score.detection(), strict=True):
            self.log(f"val/{name}", np.float32(100 * value).item(), prog_bar=name == "hmean", rank_zero_only=True)

    def configure_optimizers(self) -> Any:
        """AdamW, biases without weight decay, under the schedule."""
        glance = list(self.glance.parameters())
        ids = {id(parameter) for parameter in glance}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in ids]
        groups = [
            {"params": [p for p in part if (p.ndim > 1) == matrices], "weight_decay": decay, "lr": lr}
            for part, lr in ((rest, self.lr), (glance, self.glance_lr))
            for matrices, decay in ((True, self.weight_decay), (False, 0.0))
        ]
        optimizer = AdamW([group for group in groups if group["params"]])
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self._factor), "interval": "step"},
        }

    def _factor(self, step: int) -> float:
        end = self.trainer.max_steps if self.decay else 2**62
        return warmup_stable_decay(step, self.warmup, end - self.decay, end)


def _with_glance(model: Db) -> Db:
    """The detector; if it has no glance, with one that starts as the first stages of its own convolutions."""
    if model.glance is not None:
        return model
    convolutions = replace(model.cfg.convolutions, stages=model.cfg.convolutions.stages[:3])
    out = Db(replace(model.cfg, glance=GlanceConfig(convolutions=convolutions)))
    assert out.glance is not None  # noqa: S101 - as configured
    out.load_state_dict(model.state_dict(), strict=False)
    own = out.glance.image_encoder.state_dict()
    out.glance.image_encoder.load_state_dict({key: model.image_encoder.state_dict()[key] for key in own})
    return out


class KeepDetector(KeepModel):
    """The same for a detector. There is no `best/`."""

    def write(self, trainer: Trainer, module: LightningModule, folders: tuple[str, ...]) -> None:
        """See `KeepModel`."""
        if not isinstance(module, Detection) or not trainer.is_global_zero:
            return
        hmean = trainer.callback_metrics.get("val/hmean")
        checkpoint.save(
            module.model,
            Path(trainer.default_root_dir) / "model",
            steps=trainer.global_step,
            data=trainer.datamodule.describe(),  # type: ignore[attr-defined]
            unclip=UNCLIP,
            validation_hmean=None if hmean is None else round(float(hmean), 2),
        )
