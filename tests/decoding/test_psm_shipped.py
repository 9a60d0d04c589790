"""The same equality on the packs that come with the package: trained weights, rendered words."""

import numpy as np
import pytest
from greedy_reference import decode_one

from wordsight.decoding import PSM, PsmGraphs, decode_psm
from wordsight.imaging import prepare
from wordsight.runtime import OnnxRecognizer, load_pack, shipped_models
from wordsight.runtime.onnx import OnnxEngine
from wordsight.synth.words import RenderedWords

PACKS = {name: pack for name, folder in shipped_models().items() if (pack := load_pack(folder)).kind is PSM}


@pytest.fixture(scope="module", params=PACKS.values(), ids=PACKS)
def pack(request):
    return request.param


@pytest.fixture(scope="module")
def images(pack):
    words = RenderedWords(seed=77)
    return prepare([words[i].image for i in range(64)], pack.preprocessing)


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_equals_greedy_step_by_step(pack, images, batch):
    graphs = PsmGraphs(OnnxEngine(pack, "CPUExecutionProvider", 1))
    images = images[: max(batch, 14)]
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        found = decode_psm(graphs, part, pack.spec, refine_iters=pack.refine_iters).logits
        for image, got in zip(part, found, strict=True):
            want = decode_one(graphs, image, pack.spec, pack.refine_iters)
            assert want.argmax(1).tolist() == got.argmax(1).tolist()
            np.testing.assert_allclose(got, want, atol=1e-4 * max(1.0, np.abs(want).max()))


def test_a_word_does_not_depend_on_its_batch(pack, images):
    recognizer = OnnxRecognizer(pack, "cpu", 1)
    together = recognizer.read(images)
    for i in range(0, 64, 4):
        alone = recognizer.read(images[i : i + 1])[0]
        assert alone.text == together[i].text
        assert alone.confidence == pytest.approx(together[i].confidence, abs=1e-4)


def test_few_passes_on_trained_weights(pack, images):
    """Most words are right in the first draft: draft, verify, refine; verify, refine."""
    graphs = PsmGraphs(OnnxEngine(pack, "CPUExecutionProvider", 1))
    passes = [decode_psm(graphs, images[i : i + 1], pack.spec).passes for i in range(32)]
    assert np.mean([p.visual for p in passes]) < 5
    assert np.mean([p.cross for p in passes]) < 4
