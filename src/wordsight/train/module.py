"""Training a recognizer: objective, optimiser, validation accuracy."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.clipter.encoders import absolute
from wordsight.models.clipter.scene import SceneEncoder, untrained
from wordsight.models.freezing import freeze
from wordsight.models.peft import add_peft
from wordsight.models.ppocr import Svtr
from wordsight.models.reading import TorchRecognizer
from wordsight.train.batches import Batch
from wordsight.train.config import ArchitectureConfig, FreezingConfig, ObjectiveConfig, OptimiserConfig, SceneConfig
from wordsight.train.scene_cache import SceneCache
from wordsight.train.scenes import SceneBatch
from wordsight.train.schedules import one_cycle, warmup_stable_decay
from wordsight.train.sharding import shard, whole
from wordsight.train.start import refinements, set_permutations, starting_model
from wordsight.train.validation import Share, Words, read


class Recognition(lightning.LightningModule):
    """Trains any recognizer; with `clipter`, one that takes scenes.

    Args:
        model: name of a preset.
        start: checkpoint folder to take weights from: a recognizer of the preset's kind, which then also decides all
            sizes, or, for CLIP4STR, converted CLIP towers of the preset's size.
        architecture: what is changed in the model before it trains.
        objective: what the loss consists of.
        optimiser: settings of the optimiser and of the learning rate.
        freezing: what does not train.
        clipter: what to add so that the recognizer takes scenes (CLIPTER's second stage: `start` is trained, the scene
            encoder frozen). None: nothing, or what `start` has.
        scene_cache: folder in which scene tokens are kept from run to run. None: in memory alone.
        checkpointing: compute the towers' blocks again in the backward pass: less memory, about a third more time. For
            CLIP4STR alone, like `compile`.
        compile: compile towers and decoders by torch.compile: some minutes at the start, quicker steps on a GPU.
        seed: decides permutations and dropout.

    Raises:
        ConfigError: options that contradict each other or the recognizer.
        ModelError: `start` is no checkpoint folder.
    """

    scenes: SceneCache | None = None
    """The frozen encoder, while a recognizer with CLIPTER trains."""

    def __init__(
        self,
        model: str = "clip4str-tiny",
        start: Path | None = None,
        architecture: ArchitectureConfig = ArchitectureConfig(),  # noqa: B008 frozen, like the others
        objective: ObjectiveConfig = ObjectiveConfig(),  # noqa: B008
        optimiser: OptimiserConfig = OptimiserConfig(),  # noqa: B008
        freezing: FreezingConfig = FreezingConfig(),  # noqa: B008
        clipter: ClipterConfig | None = None,
        scene_cache: Path | None = None,
        checkpointing: bool = False,
        compile: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        token_only = freezing.text_layers == "token"
        self.model = starting_model(model, start, architecture, token_only=token_only)
        if isinstance(self.model, Clip4Str):
            text_layers = self.model.cfg.text.layers if freezing.text_layers == "token" else freezing.text_layers
            freeze(self.model, text_layers, freezing.image_layers)
            if freezing.peft:
                add_peft(self.model, freezing.peft)
            self.model.checkpointing(checkpointing)
            if compile:
                compile_parts(self.model)
        else:
            given = {
                "architecture.charset": architecture.charset is not None and not isinstance(self.model, Svtr),
                "architecture.text": architecture.text is not None,
                "freezing": freezing != FreezingConfig(),
                "objective.cross_from": objective.cross_from != 0,
                "checkpointing": checkpointing,
                "compile": compile,
            }
            if any(given.values()):
                named = ", ".join(f"model.{name}" for name, set_ in given.items() if set_)
                raise ConfigError(f"{named}: for CLIP4STR alone, and {model} is a {self.model.architecture}: leave out")
        if objective.num_permutations is not None:
            set_permutations(self.model, objective.num_permutations)
        about = json.loads((start / "config.json").read_text(encoding="utf-8")) if start else {}
        self.begun = start if about.get("architecture") not in (None, "clip") else None
        """The checkpoint folder of the recognizer that training began with."""
        self.trained_before: dict[str, Any] = about.get("about", {}).get("data") or {} if self.begun else {}
        """What its model card says about its data."""
        self.stage_one = start if start and self.model.clipter is None and clipter else None
        """The checkpoint folder of the recognizer that is trained without scenes."""
        if clipter:
            insert(self.model, replace(clipter, encoder=absolute(clipter.encoder)))
        self.scene_cache = scene_cache
        self.objective, self.optimiser = objective, optimiser
        self.compiled, self.seed = compile, seed

    def configure_model(self) -> None:
        """Under `ModelParallelStrategy` (recipes/clip4str/fsdp.yaml), spread the weights over the devices."""
        if isinstance(self.trainer.strategy, ModelParallelStrategy):
            if self.model.clipter is not None:
                raise ConfigError(
                    "weights sharded over devices do not work with model.clipter: use --trainer.strategy=ddp"
                )
            shard(self.model, self.trainer.strategy.root_device.type)

    def setup(self, stage: str) -> None:
        """Load the scene encoder, if there is one; the data module says which scenes are shown."""
        if self.model.clipter is not None and self.scenes is None:
            shown = getattr(getattr(self.trainer, "datamodule", None), "scene", SceneConfig())
            encoder = SceneEncoder.of(self.model.clipter)
            if shown.mode == "random-encoder":
                encoder = untrained(encoder, shown.seed)
            self.scenes = SceneCache(encoder, folder=self.scene_cache)

    @property
    def cross(self) -> bool:
        """Whether the cross-modal branch trains yet, in recognizers that have one."""
        return self.objective.cross_from is not None and self.global_step >= self.objective.cross_from

    def context(self, part: SceneBatch | None) -> SceneContext | None:
        """The scenes of a batch as the recognizer takes them; None if it takes none."""
        return None if part is None or self.scenes is None else part.encoded(self.scenes)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """One part of a step. Dropout is a function of (seed, part), permutations of (seed, step) or (seed, part).

        All parts draw as many permutations and divide by as many targets, so that the mean of their losses is the
        step's.
        """
        self.start_cross(self.model)
        context = self.context(batch.scenes)
        torch.manual_seed(self.seed * 1_000_003 + batch.index)
        orders = torch.Generator().manual_seed(
            self.seed * 1_000_003 + (batch.step if self.objective.orders == "step" else batch.index)
        )
        more = {"cross": self.cross} if isinstance(self.model, Clip4Str) else {}
        losses = self.model.loss(
            batch.images, batch.targets, orders, context=context, characters=batch.characters, **more
        )
        self.log("train/loss", losses.total.detach(), prog_bar=True, batch_size=1)
        self.log_dict({f"train/{k}": v for k, v in losses.parts.items()}, batch_size=1)
        total: torch.Tensor = losses.total
        return total

    def start_cross(self, model: Any) -> None:
        """If the cross-modal branch begins to train with this step, make its decoder a copy of the visual one."""
        if self.objective.cross_from and self.global_step == self.objective.cross_from:  # a CLIP4STR
            model.cross_decoder.load_state_dict(model.visual_decoder.state_dict())

    def on_validation_epoch_start(self) -> None:
        """Gather all weights on this device: ranks decode in different numbers of passes.

        Nothing is compiled for that: decoding has another shape in every pass.
        """
        if self.compiled:
            torch.compiler.set_stance("force_eager")
        self._reader = TorchRecognizer(whole(self.model), cross=self.cross, refine_iters=refinements(self.model))

    def validation_step(self, batch: Words, batch_idx: int) -> None:
        """Word accuracy of the model as it is used; if it takes scenes, also of the same weights without them."""
        count = len(batch.labels)
        share = Share.of(read(self._reader, batch.crops, self.context(batch.scenes)), batch.labels)
        self.log("val/accuracy", share.accuracy, prog_bar=True, batch_size=count, sync_dist=True)
        self.log_dict({"val/exact": share.exact, "val/ned": share.ned}, batch_size=count, sync_dist=True)
        if self.scenes is not None:
            share = Share.of(read(self._reader, batch.crops), batch.labels)
            self.log("val/accuracy.null", share.accuracy, batch_size=count, sync_dist=True)
            for name, number in (("val/scenes", batch.scenes.available), ("val/words", count)):
                self.log(name, float(number), on_step=False, on_epoch=True, reduce_fx="sum", sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Release the gathered weights."""
        del self._reader
        if self.compiled:
            torch.compiler.set_stance("default")

    def configure_optimizers(self) -> Any:
        """AdamW (0.9, 0.98), eps 1e-6 (as released), in the model's parameter groups, under the schedule."""
        groups = self._param_groups()
        optimizer = AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=self.fused)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self._lr_factor), "interval": "step"},
        }

    def _param_groups(self) -> Any:
        given = self.optimiser
        return self.model.param_groups(given.lr, given.decoder_lr_scale, given.weight_decay)

    @property
    def fused(self) -> bool:
        """Whether the optimiser is one kernel: unless gradients are scaled, as float16 needs."""
        return self.trainer.precision != "16-mixed"

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip by the norm of all gradients, also with a fused optimiser, for which Lightning refuses to clip."""
        if optimizer.defaults["fused"] and gradient_clip_val and gradient_clip_algorithm in (None, "norm"):
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep this run's rates, weight decay and optimiser: PyTorch would restore those of the run it resumes."""
        groups = self._param_groups()
        rates = [group["lr"] for group in groups]
        for scheduler in checkpoint["lr_schedulers"]:
            scheduler["base_lrs"] = rates
        for optimizer in checkpoint["optimizer_states"]:
            for saved, group in zip(optimizer["param_groups"], groups, strict=True):
                factor = self._lr_factor(checkpoint["global_step"])
                saved |= {"lr": group["lr"] * factor, "initial_lr": group["lr"], "weight_decay": group["weight_decay"]}
                saved["fused"] = self.fused

    def _lr_factor(self, step: int) -> float:
        end, given = self.trainer.max_steps, self.optimiser
        if given.schedule == "one-cycle":
            if end < 0:
                raise ConfigError("a one-cycle schedule needs a length: give trainer.max_steps or data.epochs")
            return one_cycle(step, end)
        if not given.decay:
            end = 2**62
        return warmup_stable_decay(step, given.warmup, end - given.decay, end)


def compile_parts(model: Clip4Str) -> None:
    """Towers and decoders, in place. Crops are all of one size; labels and numbers of captions are not."""
    model.image_tower.compile()
    for part in (model.visual_decoder, model.text_tower, model.cross_decoder):
        part.compile(dynamic=True)
