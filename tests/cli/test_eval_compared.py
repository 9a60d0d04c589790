"""`wordsight eval`: each crop once, two models beside each other, one model told of other scenes."""

import json

import numpy as np
import pytest
import torch
from test_eval_scenes import data, pack, trained, words  # noqa: F401 - fixtures
from typer.testing import CliRunner

from wordsight.cli.main import app
from wordsight.cli.recognizers import OurReader
from wordsight.errors import ConfigError
from wordsight.evaluate import Protocol, Record
from wordsight.evaluate.contrast import contrast
from wordsight.evaluate.gates import remarks
from wordsight.imaging import prepare
from wordsight.models import checkpoint
from wordsight.models.clipter import ClipterConfig, insert
from wordsight.models.registry import preset
from wordsight.runtime import OnnxRecognizer, find_model, load_pack


def evaluate(folder, *arguments, code=0):
    out = folder / "report.json"
    result = CliRunner().invoke(app, ["eval", *map(str, arguments), "--json", str(out), "--threads", "1"])
    assert result.exit_code == code, (result.output, result.exception)
    return (json.loads(out.read_text()), result.output) if code == 0 else result.exception


@pytest.fixture
def tall_and_wide():
    """Crops that a reader would turn, cut or look at again."""
    dice = np.random.default_rng(1)
    return [dice.integers(0, 256, shape, dtype=np.uint8) for shape in ((90, 20, 3), (20, 300, 3), (30, 80, 3))]


def test_as_is_every_crop_goes_through_the_recognizer_once(tall_and_wide, monkeypatch):
    seen = []
    real = OnnxRecognizer.read

    def read(self, images, scenes=None):
        seen.append((len(images), self.settings.mode, self.settings.dictionary))
        return real(self, images, scenes)

    monkeypatch.setattr(OnnxRecognizer, "read", read)
    found = OurReader("small", 1, as_is=True).read(tall_and_wide)
    assert seen == [(3, "full", None)]
    plain = OnnxRecognizer(load_pack(find_model("small")), "cpu", 1, mode="full")
    images = prepare(tall_and_wide, plain.preprocessing)
    assert found == [(reading.text, reading.confidence) for reading in real(plain, images)]
    seen.clear()
    OurReader("small", 1).read(tall_and_wide)
    assert sum(count for count, *_ in seen) > 3


def test_tables_say_how_crops_were_read(words, tmp_path):  # noqa: F811
    for flags, expected in (([], "as users read"), (["--as-is"], "as is")):
        report, output = evaluate(tmp_path, "small", words, *flags)
        assert report["settings"]["reading"] == expected
        assert f"reading {expected}" in " ".join(output.split())
    field = tmp_path / "field"
    field.mkdir()
    (field / "SVT").symlink_to(words)
    for flags, expected in (([], "as is"), (["--no-as-is"], "as users read")):
        report, _ = evaluate(tmp_path, "small", "--benchmarks", field, *flags)
        assert report["settings"]["reading"] == expected
    error = evaluate(tmp_path, "small", words, "--as-is", "--mode", "parallel", code=1)
    assert "greedy decoding" in str(error)


def records(texts, dataset="set"):
    return [Record(dataset, str(i), label, text, 0.9) for i, (label, text) in enumerate(texts)]


def test_what_one_reading_mends_and_spoils():
    labels = ["cafe", "exit", "beer", "open"] * 10
    one = records([(label, label if i % 8 else "x") for i, label in enumerate(labels)])
    other = records([(label, label if i % 2 else "y") for i, label in enumerate(labels)])
    found = contrast(one, other, [""] * 40, Protocol.named("36"), ("a", "b"), "set")
    assert (len(found.mended), len(found.spoilt)) == (15, 0)
    assert found.result.shown
    assert found.result.difference == pytest.approx(found.accuracy - found.other_accuracy) == pytest.approx(15 / 40)
    assert found.result.mcnemar == pytest.approx(2 / 2**15)
    assert all(a.text == a.label != b.text for a, b in found.mended)
    # words of one photograph say less than as many of different ones
    together = contrast(one, other, [f"photo {i // 20}" for i in range(40)], Protocol.named("36"), ("a", "b"), "set")
    assert together.result.clusters == 2
    assert contrast(records([("!", "!")]), records([("!", "?")]), [""], Protocol.named("36"), ("a", "b"), "s") is None
    with pytest.raises(ValueError, match="different crops"):
        contrast(one, other[:5], [""] * 40, Protocol.named("36"), ("a", "b"), "set")


def test_two_models_beside_each_other(data, tmp_path):  # noqa: F811
    page = tmp_path / "page.html"
    report, output = evaluate(
        tmp_path, "small", data, "--against", "latin", "--as-is", "--html", page, "--protocol", "36"
    )
    (one,) = report["contrasts"]
    assert (one["one"], one["other"], one["n"], one["clusters"]) == ("small", "latin", 6, 3)
    assert "small less latin" in output
    assert len(one["mended"]) == one["won"]
    same, _ = evaluate(tmp_path, "small", data, "--against", "small", "--protocol", "36")
    (one,) = same["contrasts"]
    assert (one["difference"], one["won"], one["lost"], one["shown"]) == (0, 0, 0, False)


def test_own_scenes_anothers_and_none(trained, data, tmp_path):  # noqa: F811
    page = tmp_path / "page.html"
    report, output = evaluate(tmp_path, trained, data, "--scene", "compare", "--protocol", "36", "--html", page)
    assert [(c["one"], c["other"]) for c in report["contrasts"]] == [
        ("own scene", "another's scene"),
        ("own scene", "no scene"),
    ]
    assert {c["n"] for c in report["contrasts"]} == {6}
    assert report["gates"] == {"early": pytest.approx(0.761594)}
    assert "gate early +0.7616" in output
    assert "ms a word" in output
    alone, _ = evaluate(tmp_path, trained, data, "--protocol", "36")
    assert [r["text"] for r in report["readings"]] == [r["text"] for r in alone["readings"]]
    for flags in (["--against", "small"], ["--end-to-end"]):
        assert isinstance(evaluate(tmp_path, trained, data, "--scene", "compare", *flags, code=1), ConfigError)
    error = evaluate(tmp_path, "small", data, "--scene", "compare", code=1)
    assert "takes no scenes" in str(error)


def told_by(folder, encoder, width):
    """A checkpoint with an open gate that names its encoder."""
    torch.manual_seed(0)
    recognizer, cfg = preset("crnn-compact")
    model = recognizer(cfg)
    insert(model, ClipterConfig(encoder=encoder, scene_dim=width, kernel=2))
    with torch.no_grad():
        model.fusions["early"].gate.alpha.fill_(1.0)
    return checkpoint.save(model, folder)


def test_the_encoder_that_a_checkpoint_names_is_loaded(data, tmp_path):  # noqa: F811
    """A vision transformer of `transformers`."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    network = transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=32, patch_size=8))
    network.save_pretrained(tmp_path / "encoder")
    model = told_by(tmp_path / "model", str(tmp_path / "encoder"), 16)
    report, output = evaluate(tmp_path, model, data, "--scene", "compare", "--protocol", "36", "--as-is")
    own, other, none = (
        evaluate(tmp_path, model, data, "--scene", scene, "--as-is")[0]["readings"]
        for scene in ("real", "shuffle", "none")
    )
    assert [c["n"] for c in report["contrasts"]] == [6, 6]
    assert "ms a word" in output
    assert report["readings"] == own
    confidences = [[r["confidence"] for r in readings] for readings in (own, other, none)]
    assert confidences[0] != confidences[1] != confidences[2] != confidences[0]  # each is told something else


def test_signs_of_failure_have_names():
    said = remarks({"early": 0.3, "late.visual": 0.004, "late.cross": -0.08})
    assert said[0] == "gate early +0.3000"
    assert "a sign of failure: shut" in said[1]
    assert "a sign of failure: negative" in said[2]


def test_mended_words_have_their_pictures(data, tmp_path, monkeypatch):  # noqa: F811
    """Two readers that read some words differently."""
    from wordsight.cli import recognizers

    class Fixed:
        def __init__(self, name, texts):
            self.name, self.texts, self.settings = name, list(texts), {"threads": 1}

        def read(self, crops):
            return [(self.texts.pop(0), 0.5) for _ in crops]

    readers = iter([Fixed("a", ["word"] * 4 + ["x"] * 2), Fixed("b", ["x"] * 3 + ["word"] * 3)])
    monkeypatch.setattr(recognizers, "open_reader", lambda *_, **__: next(readers))
    page = tmp_path / "page.html"
    report, _ = evaluate(tmp_path, "a", data, "--against", "b", "--html", page, "--protocol", "36")
    (one,) = report["contrasts"]
    assert (one["won"], one["lost"]) == (3, 2)
    text = page.read_text()
    assert "3 words mended by a against b (36)" in text
    assert "2 words spoilt by a against b (36)" in text
    assert text.count("instead of") == 5
