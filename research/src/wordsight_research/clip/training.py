"""The miniature CLIP: contrastive pre-training of compact towers (arXiv 2103.00020, section 2.3) on pairs of ours.

It is CLIP's objective and CLIP's form at a thousandth of its size: what comes out is not OpenAI's CLIP and knows no
more of the world than its pairs show.
"""

import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.train.batches import FromBatch
from wordsight.train.callbacks import KeepCheckpoint, StopOnNaN
from wordsight.train.checkpoints import AtomicCheckpoints
from wordsight.train.schedules import one_cycle

log = logging.getLogger(__name__)

_CEILING = math.log(100.0)
"""Of the temperature's logarithm (arXiv 2103.00020, section 2.5)."""

_CHUNK = 64


@dataclass(frozen=True)
class Pairs:
    """Images and the texts that belong to them.

    Attributes:
        images: (B, 3, H, W) float32.
        tokens: (B, S) of `Clip.tokens`.
        step: number of the optimiser step that sees them.
        samples: what the rows are.
    """

    images: Tensor
    tokens: Tensor
    step: int = 0
    samples: tuple[str, ...] = ()

    def pin_memory(self) -> "Pairs":
        """For quick copies to a GPU (called by the data loader)."""
        return replace(self, images=self.images.pin_memory(), tokens=self.tokens.pin_memory())

    def to(self, device: torch.device, non_blocking: bool = True) -> "Pairs":
        """On another device."""
        images, tokens = (x.to(device, non_blocking=non_blocking) for x in (self.images, self.tokens))
        return replace(self, images=images, tokens=tokens)


@dataclass(frozen=True)
class Retrieval:
    """How well the texts of other pairs are told from an image's own.

    Attributes:
        pairs: how many.
        top: share of images whose own text, or an equal one, fits best of all.
        chance: the same by guessing.
        rank: mean share of the other texts that fit better than the own one; 0.5 is chance.
    """

    pairs: int
    top: float
    chance: float
    rank: float

    def __str__(self) -> str:
        return (
            f"{100 * self.top:.1f} % of {self.pairs} images find their text first (chance {100 * self.chance:.1f} %), "
            f"{100 * self.rank:.1f} % of others before it (chance 50 %)"
        )


@dataclass(frozen=True)
class Pretraining:
    """How long and how fast.

    Attributes:
        steps: optimiser steps.
        batch_size: pairs per step, each of them the others' negative.
        lr: peak learning rate, one cycle.
        weight_decay: AdamW's, for matrices.
        every: steps between two measurements, from which a killed run resumes.
        workers: processes that make pairs.
        seed: decides weights, pairs and their order.
    """

    steps: int
    batch_size: int
    lr: float = 1e-3
    weight_decay: float = 0.1
    every: int = 200
    workers: int = 0
    seed: int = 0


def new_clip(cfg: ClipConfig, seed: int) -> Clip:
    """Towers with random weights."""
    torch.manual_seed(seed)
    return Clip(cfg)


def contrastive_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """CLIP's loss of logits (B, B) of images against texts: cross-entropy both ways.

    Pairs with the same tokens (B, S) as a pair are no negatives of it: words repeat in a batch, as captions of
    photographs from the web hardly do (ours).
    """
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.float().masked_fill(equal(tokens) & ~own, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def equal(tokens: Tensor) -> Tensor:
    """(B, B): which rows of tokens (B, S) are the same."""
    return (tokens[:, None] == tokens[None]).all(2)


@torch.no_grad()
def retrieval(model: Clip, pairs: Pairs) -> Retrieval:
    """Every image against the texts of all pairs."""
    device = model.logit_scale.device
    images = torch.cat([model.encode_image(part.to(device)) for part in pairs.images.split(_CHUNK)])
    texts = torch.cat([model.encode_text(part.to(device)) for part in pairs.tokens.split(_CHUNK)])
    fits = (images @ texts.T).float()  # (B, B)
    right = equal(pairs.tokens.to(device))
    best = fits.diagonal()[:, None]
    better = ((fits > best) & ~right).sum(1)
    others = (~right).sum(1).clamp(min=1)
    return Retrieval(
        len(fits),
        float((better == 0).float().mean()),
        float(right.float().mean()),
        float((better / others).mean()),
    )


class Contrastive(lightning.LightningModule):
    """Trains both towers. `pairs[step]` is the batch of a step and depends on nothing else: runs can be resumed."""

    def __init__(self, model: Clip, pairs: Dataset[Pairs], plan: Pretraining, about: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = model
        self.pairs = pairs
        self.plan = plan
        self.about = {**about, "plan": {k: v for k, v in asdict(plan).items() if k not in ("every", "workers")}}

    def train_dataloader(self) -> DataLoader[Pairs]:
        """From where the run stands."""
        return DataLoader(
            self.pairs,
            batch_size=None,
            sampler=FromBatch(self.trainer.global_step),
            num_workers=self.plan.workers,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )

    def training_step(self, batch: Pairs, batch_idx: int) -> Tensor:
        """One step."""
        loss = contrastive_loss(self.model(batch.images, batch.tokens), batch.tokens)
        self.log("loss", loss.detach(), prog_bar=True, batch_size=1)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Pairs, batch_idx: int) -> None:
        """The temperature stays below its ceiling."""
        self.model.logit_scale.data.clamp_(max=_CEILING)

    def configure_optimizers(self) -> Any:
        """AdamW (0.9, 0.98), eps 1e-6, as CLIP4STR's. No decay for vectors and embeddings: rare tokens would fade."""
        groups: tuple[list[Tensor], list[Tensor]] = ([], [])
        for name, parameter in self.model.named_parameters():
            groups[parameter.ndim < 2 or "embedding" in name].append(parameter)
        decays = [self.plan.weight_decay, 0.0]
        optimizer = torch.optim.AdamW(
            [{"params": p, "weight_decay": d} for p, d in zip(groups, decays, strict=True)],
            lr=self.plan.lr,
            betas=(0.9, 0.98),
            eps=1e-6,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step, self.plan.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What the run is, for `on_load_checkpoint`."""
        checkpoint["pretraining"] = self.about

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Only the same run is resumed.

        Raises:
            ConfigError: it is another.
        """
        began = checkpoint.get("pretraining")
        if began != self.about:
            raise ConfigError(
                f"last.ckpt is of a run with other settings ({began}): choose another --out, or remove it"
            )


class _Measure(lightning.Callback):
    """Measures now and then, says so, and keeps the towers as they are."""

    def __init__(self, held_out: Mapping[str, Pairs], out: Path, say: Callable[[str], None]) -> None:
        self.held_out, self.out, self.say = held_out, out, say
        self.found: dict[str, Retrieval] = {}

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """After every so many steps, and after the last."""
        module, step = pl_module, trainer.global_step
        if isinstance(module, Contrastive) and (step % module.plan.every == 0 or step == module.plan.steps):
            self.measure(module, step, float(outputs["loss"]))

    def measure(self, module: Contrastive, step: int, loss: float) -> None:
        """Now."""
        module.model.eval()
        self.found = {name: retrieval(module.model, pairs) for name, pairs in self.held_out.items()}
        module.model.train()
        for name, found in self.found.items():
            self.say(f"step {step}, loss {loss:.3f}, {name}: {found}")
        measured = {name: asdict(found) for name, found in self.found.items()}
        checkpoint.save(module.model, self.out, steps=step, retrieval=measured, **module.about)


def pretrain(
    model: Clip,
    pairs: Dataset[Pairs],
    held_out: Mapping[str, Pairs],
    plan: Pretraining,
    out: Path,
    about: Mapping[str, Any],
    say: Callable[[str], None] = log.info,
    bar: bool = False,
) -> dict[str, Retrieval]:
    """Trains `model` and leaves it in `out` as a checkpoint folder; a run begun there resumes from its `last.ckpt`.

    Args:
        model: with random weights.
        pairs: see `Contrastive`.
        held_out: pairs that are never trained on, by name.
        plan: how long.
        out: folder.
        about: what the checkpoint says about the pairs.
        say: called with every measurement.
        bar: show Lightning's progress bar.

    Returns:
        The last measurements; empty where nothing was left to do.

    Raises:
        ConfigError: the run in `out` is another one, or its loss is not finite.
    """
    out.mkdir(parents=True, exist_ok=True)
    last = out / "last.ckpt"
    measure = _Measure(held_out, out, say)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about loggers, validation and workers that are left out on purpose
        trainer = lightning.Trainer(
            max_steps=plan.steps,
            max_epochs=-1,
            devices=1,
            precision="bf16-mixed" if torch.cuda.is_available() else "32-true",
            gradient_clip_val=5.0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=bar,
            use_distributed_sampler=False,
            default_root_dir=out,
            plugins=[AtomicCheckpoints()],
            callbacks=[StopOnNaN(), measure, KeepCheckpoint(plan.every)],
        )
        module = Contrastive(model.train(), pairs, plan, about)
        trainer.fit(module, ckpt_path=last if last.is_file() else None)
        if measure.found:
            trainer.save_checkpoint(last)  # it is known to be done
    model.eval()
    return measure.found
