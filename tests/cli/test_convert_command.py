"""`wordsight models convert`, and the way from foreign weights to a reading."""

import os
import pickle
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[1] / "weights"))

import foreign_states as theirs  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from wordsight.cli import main  # noqa: E402


def run(monkeypatch, capfd, *arguments):
    """Exit status, output and errors of the command as it is installed."""
    monkeypatch.setattr(sys, "argv", ["wordsight", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main.main()
    return stop.value.code or 0, *capfd.readouterr()


@pytest.fixture
def make():
    return theirs.random(torch.Generator().manual_seed(5))


@pytest.fixture
def released(make, tmp_path):
    """A small CLIP4STR as its authors write it."""
    content = {"state_dict": theirs.clip4str(theirs.SMALL, make), "hyper_parameters": {"dec_num_heads": 8, "name": "x"}}
    torch.save(content, tmp_path / "released.ckpt")
    return tmp_path / "released.ckpt"


def test_says_what_was_found_assumed_and_unused(released, tmp_path, monkeypatch, capfd):
    status, output, errors = run(
        monkeypatch, capfd, "models", "convert", released, "-o", tmp_path / "mine", "--mean", "0.5,0.5,0.5"
    )
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0] == f"{released}: CLIP4STR (a PyTorch file, 114 tensors)"
    assert "  found: image tower: 32x32, patches of 8x8, width 128, 2 layers" in lines
    assert "  found: decoder heads 8 (stated)" in lines
    assert "  found: mean 0.5,0.5,0.5 (given)" in lines
    assert "  assumed: image heads 2 (64 channels each; --heads)" in lines
    assert "  unused: clip_model.logit_scale" in lines
    assert lines[-1].endswith(f"next: wordsight models export {tmp_path / 'mine'} -o PACK")
    assert sorted(f.name for f in (tmp_path / "mine").iterdir()) == ["config.json", "model.safetensors"]


def test_parts_that_are_new_are_said(make, tmp_path, monkeypatch, capfd):
    torch.save({"model": theirs.timm_vit(64, 1, (8, 8), 16, make)}, tmp_path / "deit.pth")
    status, output, _ = run(monkeypatch, capfd, "models", "convert", tmp_path / "deit.pth", "-o", tmp_path / "vit")
    assert status == 0
    assert "  new, to be trained: projection, visual_decoder" in output
    assert "next: train from it" in output
    status, _, errors = run(monkeypatch, capfd, "models", "export", tmp_path / "vit", "-o", tmp_path / "pack")
    assert status == 1
    assert "its projection and visual_decoder being random: train a recognizer from it first" in errors
    assert not (tmp_path / "pack").exists()


def malice(path, protocol=2):
    class Malice:
        def __reduce__(self):
            return os.system, (f"touch {path}",)

    return pickle.dumps({"state_dict": Malice()}, protocol)


def new_malice(path):
    return malice(path, protocol=4)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, [], "cannot be read (No such file or directory)"),
        (b"not a checkpoint", [], "is not a checkpoint"),
        (malice, [], "nothing in it was executed"),
        (new_malice, [], "nothing in it was executed"),
        ("released", ["--heads", "3"], "--heads 3 does not divide the width 128"),
        ("released", ["--mean", "0.5"], "--mean '0.5' is not three numbers"),
        ("released", ["--std", "0,1,1"], "is above 0"),
        ("released", ["--size", "16x16"], "16 patches, inputs of 16x16 have 4: check --size"),
        ("released", ["--size", "big"], "--size 'big' is not height x width"),
        ("released", ["--charset", "36"], "94 characters, the charset has 36"),
        ("released", ["--charset", "aa"], "repeats 'a'"),
        ("cut", [], "damaged"),
    ],
)
def test_one_line_and_nothing_written(released, tmp_path, monkeypatch, capfd, content, options, message):
    file, trace = tmp_path / "foreign.pt", tmp_path / "it-was-executed"
    match content:
        case "released":
            file = released
        case "cut":
            file.write_bytes(released.read_bytes()[:100_000])
        case bytes():
            file.write_bytes(content)
        case _ if callable(content):
            file.write_bytes(content(trace))
    status, output, errors = run(monkeypatch, capfd, "models", "convert", file, "-o", tmp_path / "mine", *options)
    assert (status, output) == (1, "")
    assert message in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "mine").exists()
    assert not trace.exists()


def test_towers_alone_are_no_pack(make, tmp_path, monkeypatch, capfd):
    torch.save(theirs.openai_clip(theirs.SMALL, make), tmp_path / "clip.pt")
    assert run(monkeypatch, capfd, "models", "convert", tmp_path / "clip.pt", "-o", tmp_path / "clip")[0] == 0
    status, _, errors = run(monkeypatch, capfd, "models", "export", tmp_path / "clip", "-o", tmp_path / "pack")
    assert status == 1
    assert "CLIP's towers, which cannot read yet" in errors


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip4str", "parseq"])
def test_from_foreign_weights_to_a_reading(make, released, tmp_path, kind):
    """convert, export, read: the strings are those of the converted model in torch."""
    import numpy as np
    from PIL import Image

    from wordsight.decoding import PsmGraphs, read_psm
    from wordsight.imaging import prepare
    from wordsight.models import checkpoint
    from wordsight.models.reading import TorchEngine
    from wordsight.runtime import load_pack

    if kind == "parseq":
        state = theirs.parseq(64, 2, (4, 8), 128, make)
        torch.save(state, released)
    mine, pack = tmp_path / "mine", tmp_path / "pack"
    runner = CliRunner()
    for arguments in (["models", "convert", released, "-o", mine], ["models", "export", mine, "-o", pack, "--float32"]):
        result = runner.invoke(main.app, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
    crops = [np.random.default_rng(i).integers(0, 256, (20, 60, 3), dtype=np.uint8) for i in range(4)]
    files = [tmp_path / f"{i}.png" for i in range(len(crops))]
    for crop, file in zip(crops, files, strict=True):
        Image.fromarray(crop).save(file)
    result = runner.invoke(main.app, ["read", "--model", str(pack), "--crops", *map(str, files)])
    assert result.exit_code == 0, result.output
    model, about = checkpoint.load(mine)
    graphs = PsmGraphs(TorchEngine(model, cross=about.get("cross", True)))
    expected = read_psm(graphs, prepare(crops, model.cfg.preprocessing), model.cfg.spec)
    assert [line.split("\t")[1] for line in result.stdout.splitlines()] == [reading.text for reading in expected]
    assert any(reading.text for reading in expected)
    opened = load_pack(pack)
    assert (opened.architecture, opened.about["licence"]) == (kind, "not stated")
    assert opened.about["converted"]["assumed"]
    assert (pack / "tokenizer.json").exists() == (kind == "clip4str")
