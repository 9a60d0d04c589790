"""What the released trainings do and ours may: how q, k and v start, whose orders are drawn together, PSM off."""

from pathlib import Path

import pytest
import torch
from small_runs import tiny_config

from wordsight.errors import ConfigError
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.freezing import trainable
from wordsight.models.registry import preset
from wordsight.train import Recognition, WordsData
from wordsight.train.batches import Batch
from wordsight.train.config import ObjectiveConfig
from wordsight.train.run import RecipeCLI, arguments

ABLATIONS = Path(__file__).parents[2] / "recipes" / "clip4str" / "ablations"


def spread(decoder):
    layer = decoder.layers[0]
    return {
        f"{kind}.{part}": getattr(getattr(layer, kind), part).weight.std().item()
        for kind in ("self_attention", "cross_attention")
        for part in "qkvo"
        if part != "o"
    }


@pytest.mark.parametrize(("name", "expected"), [("clip4str-b16", 0.03125), ("parseq-small", 384**-0.5 * 2**-0.5)])
def test_q_k_and_v_of_the_papers_decoders_start_as_one_packed_matrix(name, expected):
    """As torch.nn.MultiheadAttention starts them: 0.031 at width 512."""
    kind, cfg = preset(name)
    torch.manual_seed(0)
    with torch.device("meta"):
        model = kind(cfg)
    decoder = type(model.visual_decoder)(cfg.decoder, cfg.embed_dim, 97, 95, 25)
    for part, std in spread(decoder).items():
        assert std == pytest.approx(expected, rel=0.02), part
    assert decoder.layers[0].self_attention.out.weight.std().item() == pytest.approx(0.02, rel=0.03)
    theirs = torch.nn.MultiheadAttention(cfg.embed_dim, 8).in_proj_weight
    assert decoder.layers[0].self_attention.q.weight.abs().max().item() == pytest.approx(
        theirs.abs().max().item(), rel=1e-3
    )
    assert decoder.layers[0].self_attention.q.bias.abs().max() == 0


def test_the_compact_sizes_start_as_they_did():
    cfg = CLIP4STR_PRESETS["clip4str-tiny"]
    torch.manual_seed(0)
    assert spread(Clip4Str(cfg).visual_decoder)["self_attention.q"] == pytest.approx(0.02, rel=0.03)


@pytest.mark.parametrize("orders", ["step", "part"])
def test_parts_of_a_step_draw_their_orders_together_or_apart(monkeypatch, orders):
    from wordsight.models.parseq import model

    drawn = []
    real = model.draw_orders

    def draw(length, count, generator):
        drawn.append(real(length, count, generator))
        return drawn[-1]

    monkeypatch.setattr(model, "draw_orders", draw)
    module = Recognition(objective=ObjectiveConfig(orders=orders, cross_from=None))
    module.model = Clip4Str(tiny_config())
    monkeypatch.setattr(Recognition, "log", lambda *_, **__: None)
    monkeypatch.setattr(Recognition, "log_dict", lambda *_, **__: None)
    targets = torch.as_tensor(module.model.tokenizer.encode(["abcdefgh"] * 2))
    for index, step in ((0, 0), (1, 0), (2, 1)):
        module.training_step(Batch(index, step, torch.zeros(2, 3, 32, 128), targets, None, ()), index)
    assert torch.equal(drawn[0], drawn[1]) == (orders == "step")
    assert not torch.equal(drawn[1], drawn[2])


def test_left_to_right_alone_is_read_without_refinement(train_here, monkeypatch):
    from wordsight.train import module

    asked = []
    real = module.TorchRecognizer

    def recognizer(*arguments, **options):
        asked.append(options["refine_iters"])
        return real(*arguments, **options)

    monkeypatch.setattr(module, "TorchRecognizer", recognizer)
    train_here("run", "--model.objective.num_permutations=1", "--trainer.max_steps=2", "--trainer.val_check_interval=2")
    train_here(
        "more", "--model.objective.num_permutations=4", "--trainer.max_steps=2", "--trainer.val_check_interval=2"
    )
    assert asked == [0, None]
    for name, count in (("clip4str-tiny", 0), ("crnn", 2)):
        with pytest.raises(ConfigError, match="num_permutations"):
            Recognition(name, objective=ObjectiveConfig(num_permutations=count))


class Parsed(RecipeCLI):
    """Builds everything and trains nothing."""

    def _run_subcommand(self, subcommand):
        pass


@pytest.mark.parametrize(
    ("name", "rates", "decay", "total", "millions"),
    [  # trained weights without the cross-modal branch, which does not train; spec 3.3 and 3.5
        ("clip-adapter", (3.192e-3, 3.192e-3), 0.2, 1024, 4.32 + 0.26),
        ("lst", (2.263e-3, 19 * 2.263e-3), 0.2, 1024, 4.32 + 4.10),
        ("freezing", (1.68e-4, 19 * 1.68e-4), 0.2, 1024, 62.7 + 8.64),
        ("pretraining", (1.68e-4, 1.68e-4), 0.0, 1024, 86.2 + 4.32),
        ("parseq-s", (1.485e-3, 1.485e-3), 0.0, 768, 23.8),
    ],
)
def test_recipes_of_the_papers_other_tables(name, rates, decay, total, millions, words):
    flags = ["--model.start=null", f"--data.real=[{words}]", "--trainer.accelerator=cpu"]
    with torch.device("meta"):
        run = Parsed(Recognition, WordsData, args=arguments(ABLATIONS / f"{name}.yaml", flags))
    model, module = run.model.model, run.model
    unused = ("text_tower.", "cross_decoder.") if module.objective.cross_from is None else ("-",)
    count = sum(p.numel() for n, p in model.named_parameters() if p.requires_grad and not n.startswith(unused))
    assert count / 1e6 == pytest.approx(millions, rel=0.01)
    assert count <= trainable(model)
    assert (module.optimiser.lr, module.optimiser.lr * module.optimiser.decoder_lr_scale) == pytest.approx(rates)
    assert (module.optimiser.weight_decay, module.objective.orders, module.optimiser.schedule) == (
        decay,
        "part",
        "one-cycle",
    )
    assert (run.datamodule.total_batch, run.datamodule.augmentation) == (total, "randaugment")


def test_all_of_these_recipes_are_tested():
    tested = test_recipes_of_the_papers_other_tables.pytestmark[0].args[1]
    assert sorted(case[0] for case in tested) == sorted(path.stem for path in ABLATIONS.glob("*.yaml"))
