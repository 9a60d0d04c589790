"""`wordsight models merge`: the mean of several trained recognizers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_models import small_config
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.layers.lcnet import stage
from wordsight.models.ppocr import Db, DbConfig, GlanceConfig, LcNetConfig, Svtr, SvtrConfig
from wordsight.text import Charset

SMALL = LcNetConfig(stem=(3, 4, 8), stages=(((3, 8, 8, (2, 1), True),), ((3, 8, 16, (2, 1), False),)))


def run(*arguments: str) -> None:
    CliRunner().invoke(app, ["models", "merge", *arguments], catch_exceptions=False)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """Two recognizers, and one with a layer more."""
    models = {}
    for seed, name in enumerate(("a", "b")):
        torch.manual_seed(seed)
        models[name] = Clip4Str(small_config())
    cfg = small_config()
    models["deep"] = Clip4Str(replace(cfg, image=replace(cfg.image, layers=cfg.image.layers + 1)))
    return {name: str(checkpoint.save(model, tmp_path / name, said=name)) for name, model in models.items()}


def test_weights_are_averaged_by_their_shares(folders, tmp_path):
    run(f"0.75={folders['a']}", f"0.25={folders['b']}", "--out", str(tmp_path / "mean"))
    mean, about = checkpoint.load(tmp_path / "mean")
    a, b = (checkpoint.load(folders[name])[0].state_dict() for name in ("a", "b"))
    for name, tensor in mean.state_dict().items():
        torch.testing.assert_close(tensor, 0.75 * a[name] + 0.25 * b[name], atol=1e-3, rtol=1e-3)
    assert about == {"said": "b"}


def test_without_shares_all_count_the_same(folders, tmp_path):
    run(folders["a"], folders["b"], "--out", str(tmp_path / "mean"))
    mean, a, b = (
        checkpoint.load(Path(place))[0].state_dict() for place in (tmp_path / "mean", folders["a"], folders["b"])
    )
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, (a[name] + b[name]) / 2, atol=1e-3, rtol=1e-3)
    with pytest.raises(ConfigError, match="is not SHARE=FOLDER"):
        run(folders["a"], f"0.5={folders['b']}", "--out", str(tmp_path / "other"))


def test_what_cannot_be_averaged_is_refused(folders, tmp_path):
    for second, message in ((f"0.5={folders['deep']}", "differ in shape"), (f"0.4={folders['b']}", "add up to 0.9")):
        with pytest.raises(ConfigError, match=message):
            run(f"0.5={folders['a']}", second, "--out", str(tmp_path / "mean"))
    assert not (tmp_path / "mean").exists()


def test_a_detector_without_a_glance_leaves_that_of_the_others(tmp_path):
    stages = tuple(stage(8, 8, (stride, stride), "0") for stride in (1, 2, 2, 2))
    convolutions = LcNetConfig(stem=(3, 8, 8), stages=stages)
    glance = GlanceConfig(convolutions=replace(convolutions, stages=stages[:3]), width=8)
    plain = DbConfig(convolutions=convolutions, width=16, kernel=3)
    folders = [
        str(checkpoint.save(Db(cfg), tmp_path / str(number)))
        for number, cfg in enumerate((replace(plain, glance=glance), replace(plain, glance=glance), plain))
    ]
    run(f"0.2={folders[0]}", f"0.3={folders[1]}", f"0.5={folders[2]}", "--out", str(tmp_path / "mean"))
    a, b, c, mean = (checkpoint.load(folder)[0].state_dict() for folder in (*folders, tmp_path / "mean"))
    for name, tensor in mean.items():
        wanted = 0.2 * a[name] + 0.3 * b[name] + 0.5 * c[name] if name in c else 0.4 * a[name] + 0.6 * b[name]
        torch.testing.assert_close(tensor, wanted, atol=1e-3, rtol=1e-3)
    assert any(name not in c for name in mean)


def test_characters_that_one_only_guesses_are_taken_from_the_others(tmp_path):
    folders = {}
    for seed, (name, guessed) in enumerate({"untouched": "ả", "trained": "", "other": ""}.items()):
        torch.manual_seed(seed)
        model = Svtr(SvtrConfig(charset=Charset("three", "abả"), convolutions=SMALL))
        folders[name] = str(checkpoint.save(model, tmp_path / name, guessed=guessed))
    shares = {"untouched": 0.5, "trained": 0.3, "other": 0.2}
    run(*(f"{share}={folders[name]}" for name, share in shares.items()), "--out", str(tmp_path / "mean"))
    mean = checkpoint.load(tmp_path / "mean")[0].state_dict()
    states = {name: checkpoint.load(folder)[0].state_dict() for name, folder in folders.items()}
    for name in ("head.weight", "head.bias", "neck.norm.weight"):
        wanted = sum(share * states[which][name] for which, share in shares.items())
        if name.startswith("head"):
            wanted[3] = 0.6 * states["trained"][name][3] + 0.4 * states["other"][name][3]
        torch.testing.assert_close(mean[name], wanted, atol=1e-3, rtol=1e-3)
