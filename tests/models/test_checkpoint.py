import json
import os

import pytest
import torch
from small_models import small_config

from wordsight.errors import ModelError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip4str import Clip4Str
from wordsight.models.config import DecoderConfig, TextTowerConfig
from wordsight.models.ppocr import Db, DbConfig


def test_round_trip(model, tmp_path):
    checkpoint.save(model, tmp_path / "run", steps=7)
    loaded, about = checkpoint.load(tmp_path / "run")
    assert about == {"steps": 7}
    assert not loaded.training
    assert loaded.cfg == model.cfg
    for (name, a), b in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_half_precision_halves_the_file(model, tmp_path):
    full = checkpoint.save(model, tmp_path / "a") / "model.safetensors"
    half = checkpoint.save(model, tmp_path / "b", dtype=torch.float16) / "model.safetensors"
    assert half.stat().st_size < 0.6 * full.stat().st_size
    loaded, _ = checkpoint.load(tmp_path / "b")
    assert loaded.visual_decoder.head.weight.dtype == torch.float32
    torch.testing.assert_close(loaded.visual_decoder.head.weight, model.visual_decoder.head.weight, atol=1e-3, rtol=0)


@pytest.mark.parametrize("damage", ["missing", "config", "format", "weights", "shape", "architecture"])
def test_what_is_not_a_checkpoint_is_refused_in_one_line(model, tmp_path, damage):
    folder = checkpoint.save(model, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    match damage:
        case "missing":
            folder = tmp_path / "nowhere"
        case "config":
            (folder / "config.json").write_text("{")
        case "format":
            (folder / "config.json").write_text(json.dumps(config | {"format": 99}))
        case "weights":
            (folder / "model.safetensors").write_bytes(b"garbage")
        case "shape":
            config["config"]["embed_dim"] = 32
            (folder / "config.json").write_text(json.dumps(config))
        case "architecture":
            (folder / "config.json").write_text(json.dumps(config | {"architecture": "unheard-of"}))
    with pytest.raises(ModelError) as error:
        checkpoint.load(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


def test_weights_that_are_no_numbers_are_refused(model, tmp_path):
    with torch.no_grad():
        next(model.parameters()).view(-1)[3] = float("nan")
    checkpoint.save(model, tmp_path / "nan")
    with pytest.raises(ModelError, match="some of its weights are NaN"):
        checkpoint.load(tmp_path / "nan")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(model, tmp_path, name):
    checkpoint.save(model, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    os.mkfifo(tmp_path / "run" / name)
    with pytest.raises(ModelError, match="is not a checkpoint folder"):
        checkpoint.load(tmp_path / "run")


@pytest.mark.parametrize(("part", "name"), [("image", "layers"), ("text", "layers"), ("decoder", "depth")])
@pytest.mark.parametrize("count", [2**63, 10**30, 1e308])
def test_more_layers_than_there_are_weights_are_not_made(model, tmp_path, part, name, count):
    folder = checkpoint.save(model, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    config["config"][part][name] = count
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=name):
        checkpoint.load(folder)


def test_options_that_are_gone_load_with_their_only_value(model, tmp_path):
    folder = checkpoint.save(model, tmp_path / "before")
    written = json.loads((folder / "config.json").read_text())
    written["config"]["image"]["dropout"] = written["config"]["text"]["dropout"] = 0.0
    (folder / "config.json").write_text(json.dumps(written))
    assert checkpoint.load(folder)[0].cfg == model.cfg
    written["config"]["image"]["dropout"] = 0.1
    (folder / "config.json").write_text(json.dumps(written))
    with pytest.raises(ModelError, match="dropout"):
        checkpoint.load(folder)


def test_options_of_the_released_code_are_kept(model, tmp_path):
    text = TextTowerConfig(49408, context=16, width=24, layers=1, heads=2)
    deep = DecoderConfig(depth=2, heads=4, dropout=0.0)
    cfg = small_config(captions="clip", text=text, decoder=deep, share_dim=False, pooled=True)
    assert checkpoint.load(checkpoint.save(Clip4Str(cfg), tmp_path / "options"))[0].cfg == cfg
    folder = checkpoint.save(model, tmp_path / "between")
    written = json.loads((folder / "config.json").read_text())
    for key in ("share_dim", "pooled"):
        del written["config"][key]
    del written["config"]["decoder"]["depth"]
    (folder / "config.json").write_text(json.dumps(written))
    assert checkpoint.load(folder)[0].cfg == model.cfg


def test_what_reads_nothing_is_no_recognizer(model, tmp_path):
    loaded, _ = checkpoint.load_recognizer(checkpoint.save(model, tmp_path / "reads"))
    assert loaded.cfg == model.cfg
    towers = Clip(ClipConfig(model.cfg.image, model.cfg.text, model.cfg.embed_dim))
    with pytest.raises(ModelError, match="CLIP's towers, which cannot read yet"):
        checkpoint.load_recognizer(checkpoint.save(towers, tmp_path / "towers"))
    with pytest.raises(ModelError, match="holds a db, which reads nothing"):
        checkpoint.load_recognizer(checkpoint.save(Db(DbConfig()), tmp_path / "detector"))
