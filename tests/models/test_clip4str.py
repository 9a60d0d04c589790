import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_models import small_config

from wordsight.decoding import PsmGraphs, decode_psm
from wordsight.errors import ConfigError
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str, Clip4StrConfig
from wordsight.models.config import DecoderConfig, TextTowerConfig
from wordsight.models.parseq.permutations import content_masks, draw_orders, query_masks
from wordsight.models.reading import TorchEngine
from wordsight.models.registry import preset

CLIP_TEXT = TextTowerConfig(49408, context=16, width=24, layers=1, heads=2)
VARIANTS = {
    "characters": {},
    "deep": {"decoder": DecoderConfig(depth=2, heads=4, dropout=0.0)},
    "clip": {"captions": "clip", "text": CLIP_TEXT},
    "clip, deep, not shared": {
        "captions": "clip",
        "text": CLIP_TEXT,
        "decoder": DecoderConfig(depth=2, heads=4, dropout=0.0),
        "share_dim": False,
    },
    "one vector each": {"captions": "clip", "text": CLIP_TEXT, "pooled": True},
    "token embeddings": {"captions": "clip", "text": dataclasses.replace(CLIP_TEXT, embedding_only=True)},
}


@pytest.fixture(params=VARIANTS)
def variant(request):
    """A recognizer with one of the options."""
    torch.manual_seed(0)
    return Clip4Str(small_config(**VARIANTS[request.param]))


def plain_loss(model, images, targets, generator):
    """Spec 1.5 and 1.6 word by word: one permutation after the other, everything recomputed."""
    ids = model.tokenizer
    context, goals = targets[:, :-1], targets[:, 1:]
    orders = draw_orders(context.shape[1] - 1, model.cfg.num_permutations, generator)
    padding = torch.zeros(context.shape).masked_fill((context == ids.pad) | (context == ids.eos), float("-inf"))
    total = count = 0.0
    for number, (mask, content) in enumerate(zip(query_masks(orders), content_masks(orders), strict=True)):
        if number == 2:
            goals = goals.masked_fill(goals == ids.eos, ids.pad)
        rows, seen = mask + padding[:, None], content + padding[:, None]
        memory = model.encode(images)
        visual = model.visual_decoder(context, model.visual_decoder.memory_kv(memory), rows, content_mask=seen)
        texts = [ids.decode(row) for row in visual.argmax(-1).tolist()]
        if model.cfg.captions == "characters":  # has room for [E] only in place of the last character
            texts = [text[: context.shape[1] - 1] for text in texts]
        tokens, lengths = model.caption_tokenizer.encode(texts)
        features = model.text_features(torch.from_numpy(tokens))
        hidden = torch.arange(features.shape[1]) >= torch.from_numpy(lengths)[:, None]
        hidden = torch.zeros(features.shape[:2]).masked_fill(hidden, float("-inf"))
        both = torch.cat([model.cross_memory(memory.detach()), features], dim=1)
        hidden = torch.cat([torch.zeros(memory.shape[:2]), hidden], dim=1)
        cross = model.cross_decoder(context, model.cross_decoder.memory_kv(both), rows, hidden, content_mask=seen)
        n = (goals != ids.pad).sum()
        for logits in (visual, cross):
            total = total + n * F.cross_entropy(logits.flatten(0, 1), goals.flatten(), ignore_index=ids.pad)
        count += n
    return total / count


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_loss_and_gradients_equal_one_permutation_after_the_other(variant, batch):
    plain = plain_loss(variant, *batch, torch.Generator().manual_seed(5))
    plain.backward()
    expected = gradients(variant)
    variant.zero_grad()
    losses = variant.loss(*batch, torch.Generator().manual_seed(5))
    losses.total.backward()
    torch.testing.assert_close(losses.total, plain)
    found = gradients(variant)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_options_decode_like_one_image_alone(variant):
    images = np.random.default_rng(0).normal(size=(5, 3, 16, 32)).astype(np.float32)
    graphs = PsmGraphs(TorchEngine(variant.eval()))
    found = decode_psm(graphs, images, variant.cfg.spec).logits
    for image, logits in zip(images, found, strict=True):
        np.testing.assert_allclose(logits, decode_psm(graphs, image[None], variant.cfg.spec).logits[0], atol=1e-4)
    visual, cross, _ = graphs.image(images)
    assert visual.shape[3:] == (1 if variant.cfg.pooled else variant.cfg.image.tokens, variant.cfg.visual_dim)
    assert cross.shape[3:] == (1 if variant.cfg.pooled else variant.cfg.image.tokens, variant.cfg.embed_dim)


def test_options_that_contradict_each_other():
    for changes in ({"pooled": True}, {"captions": "words"}, {"cross_steps": "all"}, {"captions": "clip"}):
        with pytest.raises(ConfigError):
            small_config(**changes)
    with pytest.raises(ConfigError, match="width 16"):
        small_config(text=TextTowerConfig(13, context=10, width=16, heads=2, embedding_only=True))
    for changes in ({"share_dim": False}, {"pooled": True, "captions": "clip", "text": CLIP_TEXT}):
        with pytest.raises(ConfigError, match="a CTC head reads all image tokens"):
            small_config(ctc_weight=1.0, **changes)


def test_checkpointing_gives_the_same_gradients(model, batch):
    model.loss(*batch, torch.Generator()).total.backward()
    expected = gradients(model)
    model.zero_grad()
    model.checkpointing()
    model.loss(*batch, torch.Generator()).total.backward()
    found = gradients(model)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-8, msg=name)


def test_a_batch_of_empty_words_learns_their_end(model):
    targets = torch.from_numpy(model.tokenizer.encode(["", ""]))
    losses = model.loss(torch.randn(2, 3, 16, 32), targets, torch.Generator())
    losses.total.backward()
    assert torch.isfinite(losses.total)
    assert model.visual_decoder.head.weight.grad.any()


def test_every_parameter_learns(model, batch):
    model.loss(*batch, torch.Generator()).total.backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # the last text position is never reached by captions this short, but its table is one tensor with the others
    assert still == []


def test_cross_branch_sends_no_gradient_into_the_visual_branch(model, batch):
    model.loss(*batch, torch.Generator(), cross=False).total.backward()
    alone = gradients(model)
    assert not any(name.startswith(("cross_decoder", "text_tower")) for name in alone)
    model.zero_grad()
    model.loss(*batch, torch.Generator()).total.backward()
    together = gradients(model)
    for name, gradient in alone.items():
        torch.testing.assert_close(together[name], gradient, rtol=1e-4, atol=1e-7, msg=name)


def test_captions_end_at_the_first_end(model):
    ids = model.tokenizer
    logits = torch.full((3, 4, ids.num_classes), -9.0)
    for row, tokens in enumerate([[1, 2, ids.eos, 3], [ids.eos, 1, 1, 1], [4, 5, 6, 7]]):
        logits[row, range(4), tokens] = 9.0
    b, e, p = ids.bos, ids.eos, ids.pad
    assert model.captions(logits).tolist() == [[b, 1, 2, e, p], [b, e, p, p, p], [b, 4, 5, 6, e]]


def test_equal_captions_are_encoded_once(model):
    seen = []
    model.text_tower.register_forward_hook(lambda _, args, __: seen.append(args[0].shape[0]))
    captions = torch.from_numpy(model.tokenizer.encode(["ab", "ca", "ab", "ab"]))
    features, mask = model.encode_captions(captions)
    assert seen == [2]
    assert features.shape[:2] == mask.shape == captions.shape
    assert torch.equal(features[0], features[2])
    assert not torch.allclose(features[0], features[1])


def test_auxiliary_ctc_takes_part_and_ignores_what_does_not_fit():
    torch.manual_seed(0)
    model = Clip4Str(small_config(ctc_weight=0.5))  # 2 x 4 tokens, so 4 columns
    images = torch.randn(2, 3, 16, 32)
    short = torch.from_numpy(model.tokenizer.encode(["ab", ""]))
    losses = model.loss(images, short, torch.Generator(), cross=False)
    torch.testing.assert_close(losses.total.detach(), losses.parts["visual"] + 0.5 * losses.parts["ctc"])
    assert losses.parts["ctc"] > 0
    too_long = torch.from_numpy(model.tokenizer.encode(["abcdefgh", "aabb"]))  # 8 > 4; aabb needs 6 columns
    assert model.loss(images, too_long, torch.Generator(), cross=False).parts["ctc"] == 0


def test_deeper_decoders_need_their_content_mask(model):
    torch.manual_seed(0)
    deep = Clip4Str(small_config(decoder=DecoderConfig(depth=2, heads=4, dropout=0.0))).visual_decoder
    kv = deep.memory_kv(torch.randn(1, 6, 24))
    assert kv.shape == (1, 2, 2, 6, 24)
    tokens, causal = torch.tensor([[11, 1, 2]]), torch.full((3, 3), float("-inf")).triu(1)
    assert deep(tokens, kv, causal, content_mask=causal).shape == (1, 3, 11)
    with pytest.raises(ValueError, match="content mask"):
        deep(tokens, kv, causal)


@pytest.mark.parametrize("name", ["clip4str-tiny", "clip4str-small"])
def test_compact_presets(name):
    cfg = CLIP4STR_PRESETS[name]
    model = Clip4Str(cfg).eval()
    rows, columns = cfg.image.grid
    assert rows * columns <= 64
    memory = model.encode(torch.zeros(2, 3, 32, 128))
    assert memory.shape == (2, rows * columns, cfg.embed_dim)
    assert cfg.charset.name == "94+space"
    assert (cfg.max_length, cfg.captions, cfg.cross_steps) == (40, "characters", "own")


@pytest.mark.parametrize("name", CLIP4STR_PRESETS)
def test_presets_survive_json(name):
    cfg = CLIP4STR_PRESETS[name]
    assert Clip4StrConfig.from_dict(json.loads(json.dumps(cfg.to_dict()))) == cfg


@pytest.mark.parametrize(
    # parameters of both towers and of one decoder in millions (spec 1.3, 3.3); heads of the image tower
    ("name", "towers", "decoder", "tokens", "heads"),
    [
        ("clip4str-b16", 149.6, 4.32, 197, 12),
        ("clip4str-b32", 151.3, 4.32, 50, 12),
        ("clip4str-l14", 427.6, 9.62, 257, 16),
        ("clip4str-l14-336", 427.9, 9.62, 577, 16),
        ("clip4str-h14", 986.1, 17.0, 257, 16),
        ("clip4str-h14-20heads", 986.1, 17.0, 257, 20),
    ],
)
def test_official_sizes(name, towers, decoder, tokens, heads):
    with torch.device("meta"):
        model = Clip4Str(CLIP4STR_PRESETS[name])
        memory = model.encode(torch.zeros(2, 3, model.cfg.image.height, model.cfg.image.width_px))
    count = {part: sum(p.numel() for p in module.parameters()) / 1e6 for part, module in model.named_children()}
    assert count["image_tower"] + count["text_tower"] == pytest.approx(towers, abs=0.06)
    assert count["visual_decoder"] == count["cross_decoder"] == pytest.approx(decoder, abs=0.05)
    assert memory.shape == (2, tokens, model.cfg.embed_dim)
    assert model.image_tower.blocks[0].attention.heads == heads
    assert model.cfg.preprocessing.mean[0] == pytest.approx(0.48145, abs=1e-5)


def test_a_foreign_configuration_is_one_line():
    values = small_config().to_dict()
    with pytest.raises(ConfigError, match="surprise"):
        Clip4StrConfig.from_dict(values | {"surprise": 1})
    with pytest.raises(ConfigError, match="clip4str-tiny"):
        preset("clip4str-huge-ish")


def test_parameter_groups_hold_every_parameter_once(model):
    groups = model.param_groups(1e-3, 19.0, 0.2)
    sizes = [p.numel() for group in groups for p in group["params"]]
    assert sum(sizes) == sum(p.numel() for p in model.parameters())
    assert sorted({(g["lr"], g["weight_decay"]) for g in groups}) == [(1e-3, 0), (1e-3, 0.2), (19e-3, 0), (19e-3, 0.2)]
    undecayed = {id(p) for g in groups if not g["weight_decay"] for p in g["params"]}
    assert id(model.visual_decoder.positions) in undecayed
    assert id(model.visual_decoder.head.weight) not in undecayed
    assert id(model.image_tower.positional_embedding) not in undecayed  # as released: CLIP's are decayed


def test_a_reading_does_not_depend_on_the_width_of_the_batch(model, batch):
    """Label padding changes neither the logits nor the loss of a word."""
    images, targets = batch
    wider = torch.cat([targets, torch.full((3, 1), model.tokenizer.pad)], dim=1)
    cfg = dataclasses.replace(model.cfg, num_permutations=1)
    model.cfg = cfg
    one = model.loss(images, targets, torch.Generator()).parts["visual"]
    two = model.loss(images, wider, torch.Generator()).parts["visual"]
    torch.testing.assert_close(one, two)
