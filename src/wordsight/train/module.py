"""Training a recognizer: objective, optimiser, validation accuracy."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from wordsight.errors import ConfigError
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.clipter.cache import SceneCache
from wordsight.models.clipter.encoders import absolute
from wordsight.models.clipter.scene import SceneEncoder
from wordsight.models.clipter.untrained import untrained
from wordsight.models.freezing import freeze
from wordsight.models.peft import PeftConfig, add_peft
from wordsight.models.ppocr import Svtr
from wordsight.models.reading import TorchRecognizer
from wordsight.text import Charset
from wordsight.train.batches import Batch
from wordsight.train.scenes import SceneBatch
from wordsight.train.schedules import one_cycle, warmup_stable_decay
from wordsight.train.sharding import shard, whole
from wordsight.train.start import refinements, set_permutations, starting_model
from wordsight.train.validation import Share, Words, read


class Recognition(lightning.LightningModule):
    """Trains any recognizer; with `clipter`, one that takes scenes.

    Args:
        model: name of a preset.
        start: checkpoint folder to take weights from instead of random ones (a new run, not a resumed one): a
            recognizer of the preset's kind, which then also decides all sizes, or, for CLIP4STR, converted CLIP towers
            of the preset's size.
        text: a text encoder of `transformers`, by its name on the hub or a folder, as the text tower instead of the
            preset's: for words that CLIP's does not know. Its own tokenizer makes the captions. For CLIP4STR alone.
        charset: characters to write instead of those of the preset or of `start`, which keeps what it has learned about
            its own; or a name: 36, 62, 94, 94+space, latin. For CLIP4STR alone.
        clipter: what to add to the recognizer so that it takes scenes (CLIPTER, the second of two stages: `start`
            is a trained recognizer, then both train; the scene encoder is frozen). None: nothing, or what `start` has.
        scene_cache: folder in which scene tokens are kept from run to run. None: in memory alone.
        scene_memory: MiB of scene tokens to keep in memory.
        lr: peak learning rate of the encoder (CLIP4STR: the towers).
        decoder_lr_scale: learning rate of decoders, fusions and what else is not the encoder, over the encoder's (19 in
            CLIP4STR's paper, where the towers are pre-trained; 1 from nothing).
        weight_decay: AdamW's, for matrices.
        schedule: "stable" goes up over `warmup` steps, stays, and falls to 0 over the last `decay` steps. "one-cycle"
            is the paper's: cosine up over the first 7.5 % of trainer.max_steps and down over the rest.
        warmup: steps until the peak.
        decay: the last steps of `trainer.max_steps`, over which the learning rate falls to 0. 0: it stays.
        text_freeze_layers: first blocks of the text tower that do not train, nor its embeddings; as many as it has or
            more: all of it but what is new beside `text`. "token": the text tower is nothing but CLIP's token
            embeddings, and those are frozen. None: all of it trains. For CLIP4STR alone, like all from here to
            `cross_from`.
        image_freeze_layers: first blocks of the image tower that do not train, nor its embeddings. None: all train.
        peft: freeze a tower and train few new weights instead, see `wordsight.models.peft.PeftConfig`. None: as above.
        checkpointing: compute the towers' blocks again in the backward pass: less memory, about a third more time.
        compile: compile towers and decoders by torch.compile: some minutes at the start for quicker steps on a GPU.
        ctc_weight: of an auxiliary CTC loss on the image tokens, whose head no pack has. None: as the preset or `start`
            has it (1 in the compact sizes, 0 in the paper's); 0: none.
        ema: decay of an average of the weights over one step, such as 0.999, see `train.averages`. 0: there is none.
        num_permutations: orders per word of permuted sequence modelling; 1: left to right alone, which is then read
            without refinement. None: as the preset or `start` has it. For CLIP4STR and PARSeq.
        orders: whose orders are drawn together. "step": all words of an optimiser step have the same; "part": each
            device and each round of accumulation draws its own, as released.
        cross_from: step from which the cross-modal branch trains, its decoder starting as a copy of the visual one
            (None: it does not train). Since it sends no gradient into the visual branch, that branch loses nothing by
            training alone before.
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
        text: str | None = None,
        charset: Charset | str | None = None,
        clipter: ClipterConfig | None = None,
        scene_cache: Path | None = None,
        scene_memory: int = 1024,
        lr: float = 1.5e-3,
        decoder_lr_scale: float = 1.0,
        weight_decay: float = 0.05,
        schedule: Literal["stable", "one-cycle"] = "stable",
        warmup: int = 500,
        decay: int = 0,
        text_freeze_layers: int | Literal["token"] | None = None,
        image_freeze_layers: int | None = None,
        peft: PeftConfig | None = None,
        checkpointing: bool = False,
        compile: bool = False,
        ctc_weight: float | None = None,
        ema: float = 0.0,
        num_permutations: int | None = None,
        orders: Literal["step", "part"] = "step",
        cross_from: int | None = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = starting_model(
            model,
            start,
            token_only=text_freeze_layers == "token",
            text=text,
            charset=charset,
            ctc_weight=ctc_weight,
        )
        if isinstance(self.model, Clip4Str):
            cfg = self.model.cfg
            text_layers = cfg.text.layers if text_freeze_layers == "token" else text_freeze_layers
            freeze(self.model, text_layers, image_freeze_layers)
            if peft:
                add_peft(self.model, peft)
            self.model.checkpointing(checkpointing)
            if compile:
                compile_parts(self.model)
        else:
            given = {
                "text": text is not None,
                "charset": charset is not None and not isinstance(self.model, Svtr),
                "text_freeze_layers": text_freeze_layers is not None,
                "image_freeze_layers": image_freeze_layers is not None,
                "peft": peft is not None,
                "checkpointing": checkpointing,
                "compile": compile,
                "ctc_weight": ctc_weight is not None,
                "cross_from": cross_from != 0,
            }
            if any(given.values()):
                named = ", ".join(f"model.{name}" for name, set_ in given.items() if set_)
                raise ConfigError(f"{named}: for CLIP4STR alone, and {model} is a {self.model.architecture}: leave out")
        if num_permutations is not None:
            set_permutations(self.model, num_permutations)
        self.orders = orders
        about = json.loads((start / "config.json").read_text(encoding="utf-8")) if start else {}
        self.begun = start if about.get("architecture") not in (None, "clip") else None
        """The checkpoint folder of the recognizer that training began with."""
        self.trained_before: dict[str, Any] = about.get("about", {}).get("data") or {} if self.begun else {}
        """What its card says of its data."""
        self.stage_one = start if start and self.model.clipter is None and clipter else None
        """The checkpoint folder of the recognizer before it heard of scenes."""
        if clipter:
            insert(self.model, replace(clipter, encoder=absolute(clipter.encoder)))
        self.scene_cache, self.scene_memory = scene_cache, scene_memory
        self.lr, self.decoder_lr_scale, self.weight_decay = lr, decoder_lr_scale, weight_decay
        self.schedule, self.warmup, self.decay = schedule, warmup, decay
        self.cross_from = cross_from
        self.compiled, self.ema = compile, ema
        self.seed = seed

    def configure_model(self) -> None:
        """Under `ModelParallelStrategy` (recipes/clip4str/fsdp.yaml), spread the weights over the devices."""
        if isinstance(self.trainer.strategy, ModelParallelStrategy):
            if self.model.clipter is not None:
                raise ConfigError(
                    "weights sharded over devices do not work with model.clipter: use --trainer.strategy=ddp"
                )
            shard(self.model, self.trainer.strategy.root_device.type)

    def setup(self, stage: str) -> None:
        """Load the scene encoder, if there is one; what scenes are shown as is said by the data."""
        if self.model.clipter is not None and self.scenes is None:
            data: Any = getattr(self.trainer, "datamodule", None)
            encoder = SceneEncoder.of(self.model.clipter)
            if getattr(data, "scene", "real") == "random-encoder":
                encoder = untrained(encoder, data.scene_seed)
            self.scenes = SceneCache(encoder, folder=self.scene_cache, memory=self.scene_memory << 20)

    @property
    def cross(self) -> bool:
        """Whether the cross-modal branch trains yet, in recognizers that have one."""
        return self.cross_from is not None and self.global_step >= self.cross_from

    def context(self, part: SceneBatch | None) -> SceneContext | None:
        """The scenes of a batch as the recognizer takes them; None if it takes none."""
        return None if part is None or self.scenes is None else part.encoded(self.scenes)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """One part of a step. Dropout is a function of (seed, part), permutations of (seed, step) or (seed, part).

        Targets are as long as the longest label of the whole step, so all devices draw as many permutations; their
        losses are divided by the same number of targets, so that their mean is the loss of the whole step.
        """
        self.start_cross(self.model)
        context = self.context(batch.scenes)
        torch.manual_seed(self.seed * 1_000_003 + batch.index)
        orders = torch.Generator().manual_seed(
            self.seed * 1_000_003 + (batch.step if self.orders == "step" else batch.index)
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
        if self.cross_from and self.global_step == self.cross_from:  # a CLIP4STR
            model.cross_decoder.load_state_dict(model.visual_decoder.state_dict())

    def on_validation_epoch_start(self) -> None:
        """Have all weights on this device: ranks decode in different numbers of passes.

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
        """Let go of them."""
        del self._reader
        if self.compiled:
            torch.compiler.set_stance("default")

    def configure_optimizers(self) -> Any:
        """AdamW (0.9, 0.98), eps 1e-6 (as released), in the model's parameter groups, under the schedule."""
        groups = self.model.param_groups(self.lr, self.decoder_lr_scale, self.weight_decay)
        optimizer = AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=self.fused)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self._lr_factor), "interval": "step"},
        }

    @property
    def fused(self) -> bool:
        """Whether the optimiser is one kernel: unless gradients are scaled, as float16 needs."""
        return self.trainer.precision != "16-mixed"

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """By the norm of all gradients, also before a fused optimiser: Lightning fears that it scales them."""
        if optimizer.defaults["fused"] and gradient_clip_val and gradient_clip_algorithm in (None, "norm"):
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep this run's rates, weight decay and optimiser: PyTorch would restore those of the run it resumes."""
        groups = self.model.param_groups(self.lr, self.decoder_lr_scale, self.weight_decay)
        rates = [group["lr"] for group in groups]
        for scheduler in checkpoint["lr_schedulers"]:
            scheduler["base_lrs"] = rates
        for optimizer in checkpoint["optimizer_states"]:
            for saved, group in zip(optimizer["param_groups"], groups, strict=True):
                factor = self._lr_factor(checkpoint["global_step"])
                saved |= {"lr": group["lr"] * factor, "initial_lr": group["lr"], "weight_decay": group["weight_decay"]}
                saved["fused"] = self.fused

    def _lr_factor(self, step: int) -> float:
        end = self.trainer.max_steps
        if self.schedule == "one-cycle":
            if end < 0:
                raise ConfigError("a one-cycle schedule needs a length: give trainer.max_steps or data.epochs")
            return one_cycle(step, end)
        if not self.decay:
            end = 2**62
        return warmup_stable_decay(step, self.warmup, end - self.decay, end)


def compile_parts(model: Clip4Str) -> None:
    """Towers and decoders, in place. Crops are all of one size; labels and numbers of captions are not."""
    model.image_tower.compile()
    for part in (model.visual_decoder, model.text_tower, model.cross_decoder):
        part.compile(dynamic=True)
