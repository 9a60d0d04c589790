"""Training a detector: its targets, its loss, and runs of a few steps on scenes that are drawn here."""

import json

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from small_runs import assert_same, largest_change, weights

from wordsight.data import read_scenes
from wordsight.detect import TextDetector, find_detector
from wordsight.detect.maps import find_regions
from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.layers.lcnet import stage
from wordsight.models.ppocr import Db, DbConfig, LcNetConfig
from wordsight.train import run_recipe
from wordsight.train.detection_data import Changes, MapBatches, Rendering, cut_out
from wordsight.train.detection_loss import balanced_cross_entropy, db_loss, glance_loss
from wordsight.train.detection_maps import db_maps
from wordsight.weights.export import export_detector

WORD = np.array([[20, 30], [100, 30], [100, 54], [20, 54]], np.float64)
SMALL = DbConfig(
    convolutions=LcNetConfig(
        stem=(3, 8, 8),
        stages=(
            stage(8, 8, (1, 1), "1"),
            stage(8, 16, (2, 2), "0"),
            stage(16, 16, (2, 2), "0"),
            stage(16, 16, (2, 2), "0"),
        ),
    ),
    width=16,
    kernel=5,
)


@pytest.fixture
def scenes(tmp_path):
    """Four photographs with two words each, one of which is illegible."""
    folder, lines = tmp_path / "scenes", []
    folder.mkdir()
    for number in range(4):
        image = Image.new("RGB", (200, 120), (220, 220 - 20 * number, 200))
        words = []
        for text, x, y in (("Hotel", 20, 20 + 5 * number), ("blur", 110, 80)):
            box = ImageDraw.Draw(image).textbbox((x, y), text, ImageFont.load_default(24))
            ImageDraw.Draw(image).text((x, y), text, "navy", ImageFont.load_default(24))
            corners = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]]
            words.append({"polygon": corners, "text": text, "legible": text == "Hotel"})
        image.save(folder / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "words": words}))
    (folder / "scenes.jsonl").write_text("\n".join(lines))
    return folder


# ---- targets


def test_maps_of_a_word():
    maps = db_maps([WORD], [True], 90, 120)
    distance = 80 * 24 * (1 - 0.4**2) / 208
    assert maps.core.sum() == pytest.approx((80 - 2 * distance) * (24 - 2 * distance), rel=0.3)
    assert maps.core[42, 60] == 1
    assert maps.core[32, 60] == 0
    assert (maps.counts == 1).all()
    assert maps.threshold[30, 60] == pytest.approx(0.7, abs=0.03)  # on the border
    assert maps.threshold[42, 60] == pytest.approx(0.3, abs=0.03)  # its middle is far from it
    assert maps.threshold[80, 60] == pytest.approx(0.3)
    assert maps.near[26, 60] == 1
    assert maps.near[10, 60] == 0


def test_a_core_is_found_again_as_its_word():
    """What the network is taught, and how boxes are made of it, belong together."""
    maps = db_maps([WORD], [True], 96, 128)
    ((polygon, _),) = find_regions(maps.core, 0.3, 0.5, 1.5)
    assert polygon == pytest.approx(WORD, abs=5)


@pytest.mark.parametrize(
    "polygon", [WORD, WORD * (1, 0.15), WORD * 0.01, WORD - 500], ids=["illegible", "low", "nothing", "outside"]
)
def test_what_teaches_nothing(polygon):
    maps = db_maps([polygon], [polygon is not WORD], 90, 120)
    assert not maps.core.any()
    assert not maps.near.any()
    blind = (maps.counts == 0).sum()
    assert (blind > 100) == (polygon is WORD or polygon[2, 1] == 54 * 0.15)


def test_a_polygon_whose_sides_cross_or_that_comes_apart():
    bow = WORD[[0, 2, 1, 3]]
    hourglass = np.array([[10, 10], [60, 38], [110, 10], [110, 70], [60, 42], [10, 70]], np.float64)
    for polygon in (bow, hourglass):
        maps = db_maps([polygon], [True], 90, 120)
        assert np.isfinite(maps.threshold).all()
    assert db_maps([hourglass], [True], 90, 120).core[40, 20] == 1


# ---- loss


def test_the_loss_is_least_where_all_is_right():
    maps = db_maps([WORD], [True], 96, 128)
    core, counts, threshold, near = (
        torch.from_numpy(each)[None] for each in (maps.core, maps.counts, maps.threshold, maps.near)
    )
    right = (core * 2 - 1) * 20
    loss, parts = db_loss(right, torch.logit(threshold), core, counts, threshold, near)
    assert loss.item() < 0.02
    assert set(parts) == {"text", "threshold", "binary"}
    for wrong in (-right, torch.zeros_like(right), torch.full_like(right, 20.0)):
        assert db_loss(wrong, torch.logit(threshold), core, counts, threshold, near)[0] > 0.5


def test_the_worst_of_the_others_count_and_illegible_words_do_not():
    core, counts = torch.zeros(1, 40, 40), torch.ones(1, 40, 40)
    core[0, :10, :10] = 1  # 100 pixels of text: 300 others count
    logits = torch.where(core > 0, 10.0, -10.0)
    logits[0, 20:25, :20] = 10.0  # 100 of them are wrong
    loss = balanced_cross_entropy(logits, core, counts)
    assert loss == pytest.approx(100 * 10 / 400, rel=0.01)
    counts[0, 20:25, :20] = 0
    assert balanced_cross_entropy(logits, core, counts) < 0.001
    assert torch.isfinite(balanced_cross_entropy(logits, torch.zeros_like(core), torch.zeros_like(counts)))


# ---- pictures


def map_batches(scenes, seed, rendering, size=96, lines=False):
    half = (0.5, 0.5, 0.5)
    return MapBatches(read_scenes(scenes), 2, size, half, half, 1, Changes(), rendering, lines, seed)


@pytest.mark.parametrize("rendering", [Rendering(), Rendering(over=0.6, pages=0.2)])
def test_batches_are_functions_of_seed_and_number(scenes, rendering):
    def batches(seed):
        return map_batches(scenes, seed, rendering)

    first, again, other = batches(1)[3], batches(1)[3], batches(2)[3]
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.core, again.core)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (2, 3, 96, 96)
    assert first.core.shape == (2, 96, 96)
    names = [name for i in range(4) for name in batches(1)[i].samples]
    assert sorted(names[:4]) == sorted(names[4:]) == ["0.png", "1.png", "2.png", "3.png"]  # each once a round


def test_rendered_texts_are_learned_as_words_or_as_lines(scenes):
    def cores(rendering, lines=False):
        batches = map_batches(scenes, 1, rendering, 256, lines)
        maps = [core.numpy().astype(np.uint8) for i in range(4) for core in batches[i].core]
        return sum(cv2.connectedComponents(core)[0] - 1 for core in maps)

    pages = Rendering(pages=1.0)
    assert cores(Rendering(over=1.0)) > cores(Rendering())
    assert cores(pages) > 1.5 * cores(pages, lines=True) > 3 * cores(Rendering())


def test_words_stay_where_they_are_drawn(scenes):
    scene = read_scenes(scenes)[0]
    plain = Changes(scale=(1.5, 1.5), turn=20.0, quarter=0.5, text=1.0, colour=0.0)
    for seed in range(5):
        pixels, polygons = cut_out(scene, 160, plain, np.random.default_rng(seed))
        inside = db_maps(polygons[:1], [True], 160, 160)
        ink = pixels[..., 2].astype(int) - pixels[..., 0] > 60  # navy, on paper or beside the photograph in black
        near = inside.near > 0
        assert ink[near].mean() > 0.1
        assert ink[near].mean() > 5 * ink[~near].mean()  # but for the other word


# ---- runs


@pytest.fixture
def run(tmp_path, scenes):
    """Runs of a few steps of a small detector: recipe, flags, folder of the run."""
    torch.manual_seed(0)
    checkpoint.save(Db(SMALL), tmp_path / "start")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "task: detection\n"
        f"model: {{start: {tmp_path / 'start'}, lr: 3.0e-3, warmup: 5}}\n"
        f"data: {{real: [{scenes}], batch_size: 2, size: 96, workers: 0, validation_share: 0.25}}\n"
        "trainer: {accelerator: cpu, devices: 1, max_epochs: -1, check_val_every_n_epoch: null, log_every_n_steps: 1,\n"
        "  val_check_interval: 4, num_sanity_val_steps: 0, enable_progress_bar: false, enable_model_summary: false}\n"
    )

    def train(name, *flags):
        folder = tmp_path / name
        run_recipe(recipe, [f"--trainer.default_root_dir={folder}", *flags])
        return folder

    return train


def test_a_run_learns_resumes_exactly_and_becomes_a_pack(run, tmp_path):
    through = run("through", "--trainer.max_steps=8")
    half = run("half", "--trainer.max_steps=4")
    resumed = run("half", "--trainer.max_steps=8", f"--ckpt_path={half / 'last.ckpt'}")
    assert_same(weights(resumed), weights(through))
    start = checkpoint.load(tmp_path / "start")[0].state_dict()
    learned = weights(through)
    assert largest_change({name: learned[name] for name in start}, start) > 1e-3
    for name in start:  # the glance begins as the first stages
        if name.startswith(("image_encoder.stem", "image_encoder.stages.0")):
            assert (learned[f"glance.{name}"] - start[name]).abs().max() > 1e-3
    assert not [name for name in weights(through) if name.startswith("thresholds")]
    about = json.loads((through / "model" / "config.json").read_text())["about"]
    assert about["steps"] == 8
    assert 0 <= about["validation_hmean"] <= 100

    model, about = checkpoint.load(through / "model")
    pack = export_detector(model, tmp_path / "pack", name="mine", about=about)
    assert find_detector(tmp_path / "pack") == pack
    detector = TextDetector(tmp_path / "pack", "cpu", 1)
    for size in ((1, 32, 64), (2, 96, 32)):
        images = torch.rand(size[0], 3, *size[1:], generator=torch.Generator().manual_seed(0))
        found = detector._session.run(None, {"images": images.numpy()})[0]
        half = F.avg_pool2d(images, 2)
        seen = detector._glance.run(None, {"images": half.numpy()})[0]
        with torch.no_grad():
            np.testing.assert_allclose(found, model(images).numpy(), atol=1e-4)
            np.testing.assert_allclose(seen, torch.sigmoid(model.glance(half)).numpy(), atol=1e-4)


def test_a_glance_alone(run, tmp_path):
    folder = run("glance", "--trainer.max_steps=2", "--model.glance_only=true", "--model.weight_decay=0.5")
    start, learned = checkpoint.load(tmp_path / "start")[0].state_dict(), weights(folder)
    assert largest_change({name: learned[name] for name in start}, start) == 0
    begun = {f"glance.{name}": start[name] for name in start if f"glance.{name}" in learned}
    assert len(begun) > 20
    assert 1e-4 < largest_change({name: learned[name] for name in begun}, begun) < 0.1
    again = run("again", "--trainer.max_steps=1", "--model.glance_only=true", f"--model.start={folder / 'model'}")
    assert set(weights(again)) == set(learned)


def test_the_loss_of_a_glance():
    core, counts = torch.zeros(1, 64, 64), torch.ones(1, 64, 64)
    core[0, 20, 40] = 1  # one pixel of text makes its block of 16 x 16 one of text
    wanted = torch.zeros(1, 4, 4)
    wanted[0, 1, 2] = 1
    sure = 20 * (2 * wanted - 1)
    assert glance_loss(sure, core, counts) < 1e-6
    overlooked, in_vain = (sure.clone() for _ in range(2))
    overlooked[0, 1, 2], in_vain[0, 0, 0] = -1, 1
    losses = [glance_loss(logits, core, counts).item() for logits in (overlooked, in_vain)]
    assert losses[0] == pytest.approx(4 * losses[1], rel=1e-4)
    counts[0, 5, 5] = counts[0, 20, 41] = 0  # illegible text in a block without text, and beside other text
    assert glance_loss(in_vain, core, counts) < 1e-6
    assert glance_loss(overlooked, core, counts) > 0.1


@pytest.mark.slow
def test_a_run_finds_words(run, scenes):
    flags = (
        "--trainer.max_steps=600",
        "--trainer.val_check_interval=600",
        "--model.lr=1e-3",
        "--data.changes.scale=[1,1]",
    )
    folder = run("long", *flags)
    model, _ = checkpoint.load(folder / "model")
    scene = read_scenes(scenes)[0]
    pixels = torch.from_numpy(scene.load()[:96, :192].copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        probability = model(pixels)[0, 0].numpy()
    word = db_maps([scene.words[0].polygon], [True], 96, 192).core > 0
    assert probability[word].mean() > probability[~word].mean() + 0.3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data.real=[]"], "labelled scenes"),
        (["--data.size=100"], "multiple of 32"),
        (["--model.model=big"], "no detector is called"),
    ],
)
def test_mistakes_are_one_line(run, flags, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run("wrong", "--trainer.max_steps=1", *flags)
    assert "\n" not in str(caught.value)
