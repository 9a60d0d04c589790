"""`wordsight models export --adapter`: a base and what was trained on it as one pack."""

import copy

import numpy as np
import pytest
import torch
from small_models import small_config
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.config import ImageTowerConfig
from wordsight.models.peft import PeftConfig, add_peft, save_adapter
from wordsight.models.reading import TorchRecognizer
from wordsight.runtime import OnnxRecognizer, load_pack


@pytest.mark.parametrize("kind", ["lora", "adapter"])
def test_the_pack_reads_as_the_adapted_model_does(tmp_path, kind):
    torch.manual_seed(5)
    model = Clip4Str(small_config(image=ImageTowerConfig(16, 32, patch=(8, 8), width=32, layers=1, heads=2))).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "decoder" in name and parameter.ndim == 2:
                parameter.mul_(8)  # words differ between images
    base = copy.deepcopy(model)
    checkpoint.save(base, tmp_path / "base")
    add_peft(model, PeftConfig(kind, rank=4))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.3 * torch.randn(parameter.shape)
    save_adapter(model, tmp_path / "adapter")
    options = ["-o", str(tmp_path / "pack"), "--adapter", str(tmp_path / "adapter"), "--float32"]
    result = CliRunner().invoke(app, ["models", "export", str(tmp_path / "base"), *options])
    assert result.exit_code == 0, (result.output, result.exception)
    images = np.random.default_rng(0).normal(size=(16, 3, 16, 32), scale=2).astype(np.float32)
    found = [r.text for r in OnnxRecognizer(load_pack(tmp_path / "pack"), mode="full").read(images)]
    assert found == [r.text for r in TorchRecognizer(model.eval(), "full").read(images)]
    assert found != [r.text for r in TorchRecognizer(base, "full").read(images)]
