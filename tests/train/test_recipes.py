"""Every recipe builds what it says; the official sizes on the meta device, and small in a real run."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import lmdb
import pytest
import torch
from small_runs import tiny_config
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip.hub_text import HubTextTower
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str, Clip4StrConfig
from wordsight.models.config import DecoderConfig, HubTextConfig, TextTowerConfig
from wordsight.models.freezing import trainable
from wordsight.models.ppocr import LcNetConfig, Svtr, SvtrConfig
from wordsight.models.registry import PRESETS
from wordsight.runtime import find_model, load_pack
from wordsight.text import Charset
from wordsight.train import Recognition, WordsData, start
from wordsight.train.run import RecipeCLI, arguments
from wordsight.weights.starts import checkpoint_folder

RECIPES = Path(__file__).parents[2] / "recipes"
OTHERS = ("base", "fsdp", "multilingual", "small")
OFFICIAL = sorted(path for path in (RECIPES / "clip4str").glob("*.yaml") if path.stem not in OTHERS)
SECOND_STAGE = sorted(path for path in (RECIPES / "clipter").glob("*.yaml") if path.stem not in ("base", "small"))


class Parsed(RecipeCLI):
    """Builds everything and trains nothing."""

    def _run_subcommand(self, subcommand):
        pass


def parsed(recipe, *flags):
    with torch.device("meta"):
        return Parsed(Recognition, WordsData, args=arguments(recipe, list(flags)))


@pytest.mark.parametrize(
    ("name", "millions", "epochs", "total", "lr"),
    [  # spec 3.2; parameters without the frozen ones, spec 5.3
        ("b16-real", 114.0, 16, 1024, 1.68e-4),
        ("b16-synth", 114.0, 7, 1024, 1.68e-4),
        ("b16-rbu", 114.0, 11, 1024, 1.68e-4),
        ("b32-real", 115.7, 16, 1024, 1.68e-4),
        ("l14-real", 366.3, 10, 960, 1.575e-4),
        ("l14-synth", 366.3, 6, 960, 1.575e-4),
        ("l14-rbu", 366.3, 5, 1024, 1.68e-4),
        ("h14-real", 893, 8, 1024, 1.68e-4),
        ("h14-rbu", 893, 4, 1024, 1.68e-4),
    ],
)
def test_recipe_of_an_official_size(name, millions, epochs, total, lr, words):
    recipe = RECIPES / "clip4str" / f"{name}.yaml"
    run = parsed(recipe, "--model.start=null", f"--data.real=[{words}]", "--trainer.accelerator=cpu")
    assert trainable(run.model) / 1e6 == pytest.approx(millions, abs=0.06 if millions < 800 else 1)
    data, trainer = run.datamodule, run.trainer
    assert (data.epochs, data.total_batch, data.real_share, data.augmentation) == (epochs, total, 1.0, "randaugment")
    for devices in (1, 2, 4):
        assert data._rounds(devices, 1) * devices * data.batch_size == total
    assert (trainer.gradient_clip_val, trainer.precision, trainer.max_epochs) == (20.0, "bf16-mixed", -1)
    assert trainer.default_root_dir.endswith(f"runs/clip4str-{name}")
    assert run.model.optimiser.schedule == "one-cycle"
    groups = run.model.model.param_groups(
        run.model.optimiser.lr, run.model.optimiser.decoder_lr_scale, run.model.optimiser.weight_decay
    )
    assert sorted((g["lr"], g["weight_decay"]) for g in groups) == [(lr, 0), (lr, 0.2), (19 * lr, 0), (19 * lr, 0.2)]


def test_all_recipes_are_tested():
    tested = test_recipe_of_an_official_size.pytestmark[0].args[1]
    assert sorted(case[0] for case in tested) == [path.stem for path in OFFICIAL]
    assert len(SECOND_STAGE) == 6
    others = ["detector", "latin"]  # in test_detection.py and below
    assert sorted(path.stem for path in RECIPES.glob("*.yaml")) == others


def test_recipe_of_the_default_model(words, tmp_path):
    model = Svtr(SvtrConfig(charset=Charset.preset("latin-extended"), convolutions=LcNetConfig(stem=(3, 48, 96))))
    start = checkpoint.save(model, tmp_path / "start")
    run = parsed(
        RECIPES / "latin.yaml", f"--model.start={start}", f"--data.real=[{words}]", "--trainer.precision=32-true"
    )
    assert isinstance(run.model.model, Svtr)
    assert run.model.model.cfg.charset == Charset.preset("latin-extended")
    assert run.model.model.cfg.preprocessing.width is None
    assert (run.model.optimiser.schedule, run.model.optimiser.ema) == ("one-cycle", 0.999)


def test_recipe_of_a_compact_model():
    run = parsed(RECIPES / "clip4str" / "small.yaml")
    shipped = load_pack(find_model("small"))
    charset = {"name": shipped.charset.name, "characters": shipped.charset.characters}
    assert run.model.model.cfg == Clip4StrConfig.from_dict({**shipped.config, "charset": charset})
    assert (run.datamodule.augmentation, run.datamodule.total_batch, run.datamodule.pool) == ("compact", None, 1)
    assert 0 < run.model.optimiser.decay < run.trainer.max_steps
    assert run.trainer.max_steps - run.model.optimiser.decay < run.model.objective.cross_from < run.trainer.max_steps
    assert run.model.optimiser.ema > 0.99


def test_no_weight_decay_where_the_released_training_has_none(words):
    run = parsed(RECIPES / "clip4str" / "b16-real.yaml", "--model.start=null", f"--data.real=[{words}]")
    names = {id(parameter): name for name, parameter in run.model.model.named_parameters()}
    groups = run.model.model.param_groups(1.0, 19.0, 0.2)
    plain = {names[id(p)] for group in groups if not group["weight_decay"] for p in group["params"]}
    decayed = {names[id(p)] for group in groups if group["weight_decay"] for p in group["params"]}
    for name in plain:  # spec 3.1: one dimension, or the decoders' queries and embeddings
        assert name.endswith(("bias", "positions", "class_embedding", "decoder.embedding.weight")) or ".norm" in name
    assert {"image_tower.positional_embedding", "image_tower.projection", "text_tower.projection"} <= decayed
    assert "cross_decoder.head.weight" in decayed


def test_recipe_with_a_text_encoder_of_the_hub(words, monkeypatch):
    """In the size of the one that it names, and without fetching it."""
    hub = pytest.importorskip("transformers")
    asked = []

    def described(name, context):
        asked.append((name, context))
        sizes = hub.XLMRobertaConfig(vocab_size=250002, max_position_embeddings=514, type_vocab_size=1)
        cfg = HubTextConfig(name, json.loads(sizes.to_json_string(use_diff=False)), "{}")
        return cfg, HubTextTower(cfg, 512).model.state_dict()

    monkeypatch.setattr(start, "hub_text", described)
    recipe = RECIPES / "clip4str" / "multilingual.yaml"
    run = parsed(recipe, "--model.start=null", f"--data.real=[{words}]", "--trainer.accelerator=cpu")
    assert asked == [("FacebookAI/xlm-roberta-base", 28)]
    model = run.model.model
    assert (model.cfg.captions, model.cfg.charset.name) == ("hub", "latin+cyrillic")
    assert set('Aé€жЇ"\\') <= set(model.cfg.charset.characters)
    assert not any(c.isspace() for c in model.cfg.charset.characters)
    text = model.text_tower
    assert sum(p.numel() for p in text.parameters()) / 1e6 == pytest.approx(277.84, abs=0.01)
    block = 12 * 768**2 + 13 * 768  # attention 4, MLP 8; biases 4 + 5, two norms 4
    assert trainable(text) == 6 * block + 768 * 512 + 512
    assert "Nobody\n# has run this" in recipe.read_text()


@pytest.fixture
def tree(words, tmp_path):
    """The words in the layout of the field: archives in folders below train and val."""
    labels = [line.split("\t") for line in (words / "labels.tsv").read_text().splitlines()]
    for place, rows in (("train/real/A", labels[:20]), ("train/real/B/train", labels[20:32]), ("val/C", labels[32:])):
        folder = tmp_path / "data" / place
        folder.mkdir(parents=True)
        with lmdb.open(str(folder), map_size=2**24) as archive, archive.begin(write=True) as writing:
            writing.put(b"num-samples", str(len(rows)).encode())
            for i, (file, label) in enumerate(rows, start=1):
                writing.put(b"image-%09d" % i, (words / file).read_bytes())
                writing.put(b"label-%09d" % i, label.encode())
    return tmp_path / "data"


def test_a_recipe_runs_when_it_is_made_small(tree, tmp_path, monkeypatch):
    """As a real run: converted CLIP towers, a tree of archives, words to validate on, accumulation, half precision."""
    official = CLIP4STR_PRESETS["clip4str-b16"]
    image = dataclasses.replace(tiny_config().image, class_token=True, layers=2)
    towers = ClipConfig(image, TextTowerConfig(49408, 77, 32, layers=7, heads=2), 32)
    cfg = dataclasses.replace(official, image=image, text=towers.text, embed_dim=32, decoder=DecoderConfig(heads=2))
    monkeypatch.setitem(PRESETS, "clip4str-b16", (Clip4Str, cfg))
    checkpoint.save(Clip(towers), tmp_path / "towers")
    flags = [f"--model.start={tmp_path / 'towers'}", f"--data.real=[{tree / 'train' / 'real'}]"]
    flags += [f"--data.validation=[{tree / 'val'}]", "--data.batch_size=2", "--data.total_batch=4", "--data.workers=0"]
    flags += ["--data.epochs=0.5", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    flags += [f"--trainer.default_root_dir={tmp_path / 'run'}", "--model.checkpointing=true"]
    recipe = RECIPES / "clip4str" / "b16-real.yaml"
    result = CliRunner().invoke(app, ["train", str(recipe), *flags], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    model, about = checkpoint.load(tmp_path / "run" / "model")
    assert about["steps"] == 4  # half of 32 words, four a step
    assert model.cfg.captions == "clip"
    same = torch.equal(model.text_tower.blocks[5].mlp[0].weight, Clip(towers).text_tower.blocks[5].mlp[0].weight)
    assert not same  # another random one
    kept = checkpoint.load(tmp_path / "towers")[0].text_tower.state_dict()
    changed = {name for name, tensor in model.text_tower.state_dict().items() if not torch.equal(tensor, kept[name])}
    assert changed
    assert all(name.startswith(("blocks.6.", "norm_final.", "projection")) for name in changed)


@pytest.mark.parametrize("recipe", SECOND_STAGE, ids=lambda path: path.stem)
def test_recipe_of_a_second_stage(recipe, words):
    flags = ["--model.start=null", f"--data.real=[{words}]", "--trainer.accelerator=cpu"]
    early = parsed(recipe, *flags)
    late = parsed(recipe, *flags, "--model.clipter.place=late", "--model.clipter.kernel=4")
    alone = parsed(recipe, *flags, "--model.clipter=null")
    assert early.model.model.architecture == recipe.stem
    assert early.model.model.clipter == dataclasses.replace(late.model.model.clipter, place="early", kernel=None)
    assert alone.model.model.clipter is None
    assert trainable(alone.model.model) < trainable(early.model.model) < 1.2 * trainable(alone.model.model)
    assert {name.split("_")[0] for name in late.model.model.fusions} == {"late"}
    (gate,) = [g for g in early.model.model.param_groups(early.model.optimiser.lr, 1.0, 0.1) if g.get("gate")]
    assert (gate["weight_decay"], gate["lr"]) == (0.0, early.model.optimiser.lr * 10)
    assert 0 < early.datamodule.scene.dropout < 0.5
    assert early.datamodule._rounds(1, 1) * early.datamodule.batch_size == early.datamodule.total_batch
    assert early.trainer.default_root_dir.endswith(f"runs/clipter-{recipe.stem}")
    assert "Nobody has run this at full scale" in recipe.read_text()


def test_the_second_stage_of_a_shipped_model(words, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    start = checkpoint_folder("small")
    flags = (f"--model.start={start}", f"--data.real=[{words}]", "--trainer.accelerator=cpu")
    run = parsed(RECIPES / "clipter" / "small.yaml", *flags)
    assert run.model.model.cfg == checkpoint.load(start)[0].cfg
    assert set(run.model.model.fusions) == {"early"}
    assert run.model.stage_one == start
    assert run.datamodule._rounds(1, 1) == 1


def test_recipes_without_their_ingredients(tmp_path, words):
    recipe = RECIPES / "clip4str" / "b16-real.yaml"
    with pytest.raises(ConfigError, match="needs real words"):
        parsed(recipe, "--model.start=null")
    with pytest.raises(ModelError, match="weights/clip-b16-openai is not a checkpoint folder"):
        parsed(recipe, f"--data.real=[{words}]")
    (tmp_path / "broken.yaml").write_text("model: [")
    (tmp_path / "text.yaml").write_text("hello")
    shutil.copy(recipe, tmp_path / "alone.yaml")
    for name in ("broken.yaml", "text.yaml", "nothing.yaml"):
        with pytest.raises(ConfigError, match=f"{name}: not a recipe") as caught:
            parsed(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"base\.yaml: not a recipe"):
        parsed(tmp_path / "alone.yaml")


@pytest.mark.parametrize("interval", ["null", "0", "0.5"])
def test_a_run_is_validated_every_so_many_steps(interval):
    with pytest.raises(ConfigError, match=r"trainer\.val_check_interval is a number of steps"):
        parsed(RECIPES / "clip4str" / "small.yaml", f"--trainer.val_check_interval={interval}")


@pytest.mark.parametrize("base", ["self.yaml", "other.yaml", "./self.yaml"])
def test_a_recipe_that_builds_on_itself_is_refused(tmp_path, base):
    (tmp_path / "self.yaml").write_text(f"base: {base}\ntrainer: {{max_steps: 1}}\n")
    (tmp_path / "other.yaml").write_text("base: self.yaml\n")
    with pytest.raises(ConfigError, match="is circular"):
        arguments(tmp_path / "self.yaml", [])


@pytest.mark.parametrize("content", ["bomb", "loop", "pipe", "[" * 100_000, "base: [a]"])
def test_a_recipe_costs_what_its_size_says(tmp_path, content):
    recipe = tmp_path / "recipe.yaml"
    if content == "pipe":
        os.mkfifo(recipe)
    elif content == "bomb":  # ten to the ninth values in a few lines
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 9)]
        recipe.write_text("\n".join(lines))
    else:
        recipe.write_text("a: &a [*a]" if content == "loop" else content)
    with pytest.raises(ConfigError) as error:
        arguments(recipe, [])
    assert str(recipe) in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("model:\n  optimiser:\n    lrr: 3\n", "there is no key model.optimiser.lrr: did you mean model.optimiser.lr?"),
        ("models:\n  seed: 3\n", "there is no key models.seed: did you mean model.seed?"),
        ("data:\n  batchsize: 3\n", "there is no key data.batchsize: did you mean data.batch_size?"),
        ("data:\n  batch_size: many\n", "data.batch_size is 'many', expected a whole number"),
        ("data:\n  real: [1, {a: 2}]\n", "data.real is \"[1, {'a': 2}]\", expected a list of paths"),
        ("model:\n  architecture: 7\n", "model.architecture is '7', expected keys such as model.architecture.charset"),
        (
            "trainer:\n  logger: nosuch\n",
            "trainer.logger is 'nosuch', expected a Logger or a list of Logger or true or false or null",
        ),
        (
            "trainer:\n  callbacks: [{class_path: nosuch.X}]\n",
            "trainer.callbacks is \"[{'class_path': 'nosuch.X'}]\", expected a list of Callback or a Callback or null "
            "(No module named 'nosuch')",
        ),
        (
            "model:\n  freezing:\n    peft: {kind: abc}\n",
            "model.freezing.peft.kind is 'abc', expected one of frozen, adapter, ladder, ladder-released, lora",
        ),
    ],
)
def test_a_mistyped_key_is_named_in_one_line(tmp_path, written, said):
    (tmp_path / "latin.yaml").write_text((RECIPES / "latin.yaml").read_text())
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(f"base: latin.yaml\n{written}")
    with pytest.raises(ConfigError) as error:
        parsed(recipe)
    assert str(error.value) == f"{recipe}: {said}"


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--data.seeds=3", "there is no key data.seeds: did you mean data.seed?"),
        ("--model.optimiser.lr=abc", "model.optimiser.lr is 'abc', expected a number"),  # the recipe also has this key
        ("--data.real=5", "data.real is '5', expected a list of paths"),
        ("--data.scene.mode", "--data.scene.mode needs a value: --data.scene.mode=VALUE"),
        (f"--data.seed={'9' * 40}.5{'0' * 400}", f"data.seed is '{'9' * 40}.5{'0' * 15}...', expected a whole number"),
    ],
)
def test_a_mistyped_flag_is_named_in_one_line(flag, said):
    with pytest.raises(ConfigError) as error:
        parsed(RECIPES / "latin.yaml", flag)
    assert str(error.value) == f"the command line: {said}"
