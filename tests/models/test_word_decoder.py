from dataclasses import replace

import numpy as np
import pytest
import torch

from wordsight.decoding.joint import LONGEST, SecondReader
from wordsight.models import checkpoint
from wordsight.models.layers.lcnet import LcNetConfig, stage
from wordsight.models.ppocr import SVTR_PRESETS, Svtr, WordDecoderConfig
from wordsight.models.ppocr.model import columns as columns_of
from wordsight.models.ppocr.neck import NeckConfig
from wordsight.runtime import OnnxRecognizer
from wordsight.text import Charset
from wordsight.weights.export import export_graphs, export_pack
from wordsight.weights.packs import model_from_pack

CHARSET = Charset.preset("94+space")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    convolutions = LcNetConfig((3, 16, 32), (stage(32, 48, (2, 1), "1"), stage(48, 384, (2, 1), "0")))
    cfg = replace(
        SVTR_PRESETS["svtr"],
        charset=CHARSET,
        convolutions=convolutions,
        neck=NeckConfig(depth=1),
        decoder=WordDecoderConfig(width=32, heads=4),
    )
    model = Svtr(cfg).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # as after training: no two alike, which the exporter would store once
            parameter += 0.01 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def graphs(model):
    return export_graphs(model)


@pytest.fixture(scope="module")
def pack(model, graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs") / "float32"
    return export_pack(model, folder, graphs=graphs, name="second", weights="float32")


def images(count, width=160):
    return np.random.default_rng(width).uniform(-1, 1, (count, 3, 48, width)).astype(np.float32)


def test_a_checkpoint_keeps_the_decoder(model, tmp_path):
    checkpoint.save(model, tmp_path / "model")
    again, _ = checkpoint.load(tmp_path / "model")
    assert again.cfg == model.cfg
    state = again.state_dict()
    assert all((state[name] == value).all() for name, value in model.state_dict().items())


def test_weights_take_rows_one_after_the_other(model):
    decoder, seen = model.word_decoder, torch.randn(2, 384, 3, 20)
    with torch.inference_mode():
        row_by_row = decoder.norm(decoder.project(seen.permute(0, 3, 2, 1).flatten(2))) + decoder.positions[:20]
        expected = decoder.decoder.memory_kv(row_by_row)
        torch.testing.assert_close(decoder.memory(columns_of(seen)), expected)


def test_words_of_a_line_are_learnt_on_their_slices(model):
    targets = torch.from_numpy(model.tokenizer.encode(["abc de", "f"]))
    columns = torch.arange(2 * 40).float().view(2, 40, 1).expand(-1, -1, 3 * 384)
    logits = torch.full((2, 20, model.tokenizer.num_classes), -9.0)
    said = ["aabbcc___   ddee____", "ffffffffffffffffffff"]
    for row, line in zip(logits, said, strict=True):
        for frame, one in enumerate(line):
            row[frame, model.tokenizer.eos if one == "_" else model.tokenizer.ids(one)[0]] = 9.0
    slices = [
        (part[[0, -1], 0].tolist(), model.tokenizer.decode(ids[1:].tolist()))
        for row in zip(columns, logits, targets, strict=True)
        for part, ids in model.word_decoder._slices(*row)
    ]
    assert slices == [([0, 17], "abc"), ([24, 39], "de"), ([40, 79], "f")]


def test_the_loss_of_the_decoder_falls_and_leaves_the_tower_alone(model):
    torch.manual_seed(1)
    learner = Svtr(model.cfg)
    pictures = torch.from_numpy(images(6, 96))
    targets = torch.from_numpy(learner.tokenizer.encode(["one", "two", "three", "four", "a b", "six"]))
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(learner.word_decoder.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        parts = learner.loss(pictures, targets, generator)
        optimizer.zero_grad()
        parts.total.backward()
        optimizer.step()
        losses.append(float(parts.parts["decoder"]))
    assert losses[-1] < 0.6 * losses[0]
    learner.zero_grad()
    alone = replace(learner.cfg, decoder_weight=0.0)
    gradients = []
    for cfg in (learner.cfg, alone):
        learner.cfg = cfg
        learner.zero_grad()
        learner.loss(pictures, targets, generator).total.backward()
        gradients.append(learner.image_encoder.stem.stem1.weight.grad.clone())
    assert (gradients[0] == gradients[1]).all()


def test_the_pack_computes_what_the_model_does(model, pack):
    recognizer = OnnxRecognizer(pack, "cpu", 1)
    engine = recognizer._engine
    for width in (64, 160, 416):
        crops = images(2, width)
        seen_logits, seen_columns = engine.run("image", crops)
        with torch.inference_mode():
            expected = model.see(torch.from_numpy(crops))
            logits = model.decode(model.frames(expected)).numpy()
            columns = columns_of(expected)
        np.testing.assert_allclose(seen_logits, logits, atol=1e-4)
        np.testing.assert_allclose(seen_columns, columns.numpy(), atol=1e-4)
        texts = [(1, 2, 3), (4, 5), tuple(range(1, LONGEST + 1))]
        word = SecondReader(engine, seen_columns[0], model.tokenizer).word(0.25, 0.75)
        start, end = round(0.25 * len(seen_columns[0])), round(0.75 * len(seen_columns[0]))
        with torch.inference_mode():
            kv = model.word_decoder.memory(columns[:1, start:end])
            judged = word.judge(texts)
            assert set(judged) >= set(texts)
            for text, likely in judged.items():
                logs = _logs(model, kv, text)
                goals = torch.tensor([*text, model.tokenizer.eos])
                assert float(logs[torch.arange(len(goals)), goals].sum()) == pytest.approx(likely, abs=1e-2)


def _logs(model, kv, text):
    """Log-probabilities (L + 1, C + 1) of all classes after each of the characters of a text."""
    tokens = torch.tensor([[model.tokenizer.bos, *text]])
    mask = torch.full((1, len(text) + 1, len(text) + 1), float("-inf")).triu(1)
    return model.word_decoder(tokens, kv, mask).log_softmax(-1)[0]


def test_a_pack_can_be_taken_back(model, pack):
    again = model_from_pack(pack)
    assert again.cfg == model.cfg
    state = again.state_dict()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_a_reading_depends_on_nothing_else_in_its_batch(model, graphs, tmp_path):
    pack = export_pack(model, tmp_path / "pack", graphs=graphs, name="second")
    recognizer = OnnxRecognizer(pack, "cpu", 2)
    crops = images(5)
    together = recognizer.read(crops)
    assert [recognizer.read(crops[i : i + 1])[0] for i in range(5)] == together
