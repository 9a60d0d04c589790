"""A recognizer of one's own (docs/own-recognizer.md) takes a class, its sizes, and one line that registers them."""

import pytest
import torch
from drawn_words import drawn
from patches import Patches, PatchesConfig

from wordsight.decoding.one_shot import ONE_SHOT
from wordsight.errors import ConfigError
from wordsight.models import checkpoint, registry
from wordsight.models.reading import TorchRecognizer
from wordsight.runtime import OnnxRecognizer
from wordsight.text import Charset
from wordsight.weights.export import export_pack
from wordsight.weights.packs import model_from_pack

WORDS = ["ab", "b", "cab"]


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(registry, "MODELS", dict(registry.MODELS))
    monkeypatch.setattr(registry, "PRESETS", dict(registry.PRESETS))
    registry.register(Patches, {"patches-8": PatchesConfig(charset=Charset("abc", "abc"), max_length=4)})


def trained() -> Patches:
    torch.manual_seed(0)
    kind, cfg = registry.preset("patches-8")
    model = kind(cfg)
    images, targets = drawn(WORDS, cfg.preprocessing), torch.from_numpy(model.tokenizer.encode(WORDS))
    optimizer = torch.optim.AdamW(model.param_groups(1e-2, 1.0, 0.0))
    for _ in range(30):
        optimizer.zero_grad()
        model.loss(images, targets, torch.Generator()).total.backward()
        optimizer.step()
    return model.eval()


def test_it_trains_is_kept_exported_and_read_everywhere(registered, tmp_path):
    model = trained()
    images = drawn(WORDS, model.cfg.preprocessing).numpy()
    assert [reading.text for reading in TorchRecognizer(model).read(images)] == WORDS

    checkpoint.save(model, tmp_path / "checkpoint")
    loaded, _ = checkpoint.load(tmp_path / "checkpoint")
    assert (type(loaded), loaded.cfg) == (Patches, model.cfg)

    pack = export_pack(loaded, tmp_path / "pack", name="own", weights="float32")
    assert (pack.architecture, pack.kind) == ("patches", ONE_SHOT)
    assert [reading.text for reading in OnnxRecognizer(pack, "cpu", 1).read(images)] == WORDS

    again = model_from_pack(pack)
    torch.testing.assert_close(again(torch.from_numpy(images)), model(torch.from_numpy(images)))


def test_a_name_is_taken_once(registered):
    with pytest.raises(ConfigError, match="'patches' is registered already"):
        registry.register(Patches, {})
