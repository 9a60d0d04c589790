"""CLIP4STR with a text encoder of `transformers`: built, trained, stored and exported without the hub."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import torch
from small_models import small_config

from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.charset import with_charset
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.freezing import freeze
from wordsight.models.peft import PeftConfig, add_peft, load_adapter, merge_peft
from wordsight.models.peft.files import save_adapter
from wordsight.models.reading import TorchRecognizer
from wordsight.models.registry import PRESETS
from wordsight.runtime import OnnxRecognizer
from wordsight.text import Charset
from wordsight.train import Recognition
from wordsight.train.config import ArchitectureConfig, FreezingConfig
from wordsight.weights.export import export_pack

pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from hub_models import KINDS, save_hub_model

from wordsight.models.clip.hub_text import hub_text

CHARSET = Charset("Latin and Cyrillic", "abcEtxiWlß12Мироваулцыхдпьм")
CAPTIONS = ["привет мир", "Exit", "", "Straße " * 20, "Exit"]
CONTEXT = 14


def recognizer(folder, **changes):
    hub, weights = hub_text(str(folder), CONTEXT)
    more = {"charset": CHARSET, "hub": hub, "captions": "hub", "caption_context": CONTEXT, **changes}
    torch.manual_seed(0)
    model = Clip4Str(small_config(**more))
    model.text_tower.model.load_state_dict(weights)
    return model


@pytest.fixture(params=KINDS)
def any_model(request, tmp_path):
    return recognizer(save_hub_model(request.param, tmp_path / "hub")).eval()


@pytest.fixture
def xlm_r(tmp_path):
    return save_hub_model("xlm-r", tmp_path / "xlm-r")


@pytest.fixture
def no_hub(monkeypatch):
    """Neither the hub nor its tokenizers can be asked."""

    def refuse(*_, **__):
        raise AssertionError("the hub was asked")

    import transformers

    for kind in ("AutoModel", "AutoConfig", "AutoTokenizer"):
        monkeypatch.setattr(getattr(transformers, kind), "from_pretrained", refuse)
    monkeypatch.setattr(transformers.utils, "cached_file", refuse)


def batch_of(model, texts=("Exit", "мир", "")):
    images = torch.randn(len(texts), 3, 16, 32, generator=torch.Generator().manual_seed(1))
    return images, torch.from_numpy(model.tokenizer.encode(list(texts)))


def test_features_are_the_encoders_last_hidden_states(any_model, tmp_path):
    from transformers import AutoModel

    theirs = AutoModel.from_pretrained(tmp_path / "hub").eval()
    theirs = getattr(theirs, "text_model", theirs)
    tokens, lengths = any_model.caption_tokenizer.encode(CAPTIONS)
    assert tokens.shape[1] == CONTEXT == lengths.max()  # one was cut
    with torch.inference_mode():
        ours = any_model.text_features(torch.from_numpy(tokens))
        for row, length, features in zip(tokens, lengths, ours, strict=True):
            plain = torch.from_numpy(row[:length])[None]
            expected = any_model.text_tower.bridge(theirs(input_ids=plain).last_hidden_state)[0]
            torch.testing.assert_close(features[:length], expected, rtol=0, atol=2e-6)


def test_captions_while_training_are_those_of_reading(any_model):
    texts = ["Exit", "мир", "", "Exit"]
    ids = torch.from_numpy(any_model.tokenizer.encode(texts))[:, 1:]
    classes = any_model.tokenizer.num_classes
    logits = torch.nn.functional.one_hot(ids.where(ids < classes, 0), classes)  # [E] where there is padding
    expected, lengths = any_model.caption_tokenizer.encode(texts)
    captions = any_model.captions(logits.float())
    assert captions.tolist() == expected.tolist()
    seen = []
    any_model.text_tower.register_forward_hook(lambda _, args, __: seen.append(len(args[0])))
    _, mask = any_model.encode_captions(captions)
    assert seen == [3]
    assert (mask == 0).sum(1).tolist() == lengths.tolist()


def test_every_weight_learns(any_model):
    model = any_model.train()
    model.loss(*batch_of(model), torch.Generator().manual_seed(0)).total.backward()
    groups = model.param_groups(1.0, 19.0, 0.1)
    assert sum(p.numel() for g in groups for p in g["params"]) == sum(p.numel() for p in model.parameters())
    rates = {id(p): g["lr"] for g in groups for p in g["params"]}
    assert rates[id(model.text_tower.bridge.weight)] == 19.0
    assert {rates[id(p)] for p in model.text_tower.blocks.parameters()} == {1.0}
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == set()  # or processes that train together would wait for them


@pytest.mark.parametrize("layers", [0, 1, 2, 99])
def test_freezing(any_model, layers):
    freeze(any_model, text_layers=layers)
    tower = any_model.text_tower
    trains = {name: parameter.requires_grad for name, parameter in tower.named_parameters()}
    assert trains.pop("bridge.weight")
    assert trains.pop("bridge.bias")
    assert not any(trains[name] for name in trains if "embeddings." in name)
    for i, block in enumerate(tower.blocks):
        assert {parameter.requires_grad for parameter in block.parameters()} == {i >= layers}
    assert any(trains.values()) == (layers < 2)
    any_model.train().loss(*batch_of(any_model), torch.Generator().manual_seed(0)).total.backward()
    assert tower.bridge.weight.grad is not None


def test_no_projection_where_widths_are_the_same(xlm_r):
    model = recognizer(xlm_r, embed_dim=16)
    assert not list(model.text_tower.bridge.parameters())
    assert model.text_features(torch.tensor([[0, 5, 2]])).shape == (1, 3, 16)


def test_checkpointing_changes_memory_alone(xlm_r):
    losses = []
    for on in (False, True):
        model = recognizer(xlm_r)
        model.train().checkpointing(on)
        torch.manual_seed(3)
        passes = []
        model.text_tower.model.register_forward_pre_hook(lambda *_, passes=passes: passes.append(1))
        model.loss(*batch_of(model), torch.Generator().manual_seed(0)).total.backward()
        assert len(passes) == 1 + on
        losses.append(model.text_tower.blocks[0].attention.self.query.weight.grad)
    torch.testing.assert_close(*losses, rtol=0, atol=1e-7)


def test_a_checkpoint_needs_no_hub(any_model, tmp_path, no_hub):
    folder = checkpoint.save(any_model, tmp_path / "saved")
    assert (folder / "tokenizer.json").is_file()
    described = (folder / "config.json").read_text()
    assert len(described) < 20_000
    assert str(tmp_path) not in described
    model, _ = checkpoint.load(folder)
    assert model.cfg == any_model.cfg == Clip4StrConfig.from_dict(json.loads(json.dumps(any_model.cfg.to_dict())))
    images, _ = batch_of(model)
    assert torch.equal(model.text_tower(torch.tensor([[0, 5, 2]])), any_model.text_tower(torch.tensor([[0, 5, 2]])))
    again, before = (TorchRecognizer(m).read(images.numpy()) for m in (model, any_model))
    assert [r.text for r in again] == [r.text for r in before]
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        checkpoint.load(folder)


def test_adapters_and_new_characters(xlm_r, tmp_path):
    base = recognizer(xlm_r).eval()
    model = Clip4Str(base.cfg)
    model.load_state_dict(base.state_dict())
    add_peft(model, PeftConfig("lora", towers=("image", "text")))
    model.train().loss(*batch_of(model), torch.Generator().manual_seed(0)).total.backward()
    lora = [name for name, p in model.named_parameters() if name.startswith("text_tower.") and p.grad is not None]
    assert lora
    assert all(name.endswith((".up.weight", ".down.weight")) for name in lora)
    loaded = load_adapter(base, save_adapter(model.eval(), tmp_path / "adapter"))
    merge_peft(loaded)
    assert loaded.state_dict().keys() == base.state_dict().keys()
    grown = with_charset(base, Charset("more", CHARSET.characters + "я"))
    assert grown.cfg.hub == base.cfg.hub
    assert torch.equal(grown.text_tower.bridge.weight, base.text_tower.bridge.weight)


def writing(model):
    """It writes words of some length, which depend on the caption."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and not name.startswith("text_tower.model."):
                parameter.copy_(torch.randn_like(parameter) * (0.6 if "decoder" in name else 0.3))
        for decoder in (model.visual_decoder, model.cross_decoder):
            decoder.head.bias[0] = 1
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_pack_reads_as_torch_does(kind, tmp_path, monkeypatch):
    model = writing(recognizer(save_hub_model(kind, tmp_path / "hub"), max_length=CONTEXT - 3))
    pack = export_pack(model, tmp_path / "pack", name="multilingual", weights="float32")
    assert (pack.captions, pack.caption_context) == ("hub", CONTEXT)
    assert pack.spec.captions.tokenizer == model.cfg.hub.tokenizer
    images = np.random.default_rng(0).normal(size=(12, 3, 16, 32)).astype(np.float32) * 2
    expected = TorchRecognizer(model).read(images)
    monkeypatch.setitem(sys.modules, "transformers", None)
    found = OnnxRecognizer(pack, "cpu", 1).read(images)
    assert [r.text for r in found] == [r.text for r in expected]
    assert len({r.text for r in found}) > 3
    assert any(c in "Мироваулцыхдпьм" for r in found for c in r.text)
    alone = OnnxRecognizer(pack, "cpu", 1).read(images[3:4])
    assert alone[0].text == found[3].text
    with torch.no_grad():
        model.text_tower.bridge.weight.mul_(-1)
    told = TorchRecognizer(model).read(images)
    assert [r.text for r in told] != [r.text for r in expected]  # so the captions matter


def test_what_is_no_text_encoder_is_refused_in_one_line(tmp_path, monkeypatch, xlm_r):
    def refused(name, match, context=CONTEXT):
        with pytest.raises(ConfigError, match=match) as caught:
            hub_text(str(name), context)
        assert "\n" not in str(caught.value)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused("nobody/has-this", "neither a folder nor available")
    refused(xlm_r, "fewer positions than the 60", context=60)
    for kind in ("t5", "vit"):
        refused(save_hub_model(kind, tmp_path / kind), "text encoder")
    tokenizer = xlm_r / "tokenizer.json"
    content = tokenizer.read_text()
    tokenizer.write_text("{}")
    with pytest.raises(ModelError, match=r"not a tokenizer\.json"):
        hub_text(str(xlm_r), CONTEXT)
    tokenizer.unlink()
    refused(xlm_r, "tokenizer.json")
    tokenizer.write_text(content)
    (tmp_path / "bert").mkdir()
    larger = save_hub_model("clip text", tmp_path / "bert") / "tokenizer.json"
    tokenizer.write_text(larger.read_text())
    refused(xlm_r, "knows 80 tokens, its tokenizer.json has")
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(xlm_r, "pip install transformers")


def test_configurations_that_do_not_fit(xlm_r):
    hub, _ = hub_text(str(xlm_r), CONTEXT)
    for changes in ({"hub": hub}, {"captions": "hub"}, {"hub": hub, "captions": "hub", "pooled": True}):
        with pytest.raises(ConfigError):
            small_config(**changes)
    broken = dataclasses.replace(hub, model={"model_type": "nothing"})
    with pytest.raises(ConfigError, match="cannot build"):
        Clip4Str(small_config(hub=broken, captions="hub"))


def test_a_run_starts_with_its_weights(xlm_r, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "clip4str-tiny", (Clip4Str, small_config()))
    charset = Charset("two scripts", CHARSET.characters)
    module = Recognition(
        architecture=ArchitectureConfig(text=str(xlm_r), charset=charset), freezing=FreezingConfig(text_layers=99)
    )
    model = module.model
    assert (model.cfg.captions, model.cfg.caption_context, model.cfg.charset) == ("hub", 11, charset)
    _, weights = hub_text(str(xlm_r), CONTEXT)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.text_tower.model.state_dict().items())
    start = checkpoint.save(model, tmp_path / "start")
    again = Recognition(start=start).model
    assert torch.equal(again.text_tower.bridge.weight, model.text_tower.bridge.weight)
    wider = Recognition(
        start=start, architecture=ArchitectureConfig(Charset("and a symbol", CHARSET.characters + "€"))
    ).model
    assert wider.cfg.charset.characters.endswith("€")
    assert torch.equal(wider.text_tower.bridge.weight, model.text_tower.bridge.weight)
    for options in ({"architecture": ArchitectureConfig(text=str(xlm_r))}, {"start": start}):
        with pytest.raises(ConfigError, match=r"only CLIP's"):
            Recognition(freezing=FreezingConfig("token"), **options)
    with pytest.raises(
        ConfigError, match=r"model\.architecture\.charset, model\.architecture\.text: for CLIP4STR alone"
    ):
        Recognition(model="parseq-compact", architecture=ArchitectureConfig(text=str(xlm_r), charset=charset))
