"""Scene encoders: frozen whatever happens, of many kinds; and the pooling of their tokens."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from small_models import small_config
from torch import nn

from wordsight.errors import ConfigError, ModelError
from wordsight.imaging import Preprocessing
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip.config import STD
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.clipter.encoders import SMALL, load_encoder, random_encoder
from wordsight.models.clipter.scene import SceneEncoder, pool
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.models.registry import PRESETS
from wordsight.runtime import OnnxRecognizer
from wordsight.weights.encoders import scene_encoder
from wordsight.weights.export import export_pack

TINY = ImageTowerConfig(32, 32, (8, 8), width=16, layers=1, heads=2)
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50}


def photos(*shapes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def grid_tokens(rows, columns, has_cls=True):
    """Tokens whose value is their place: [CLS] -1, then 0, 1, 2 ... row by row."""
    return torch.arange(-int(has_cls), rows * columns, dtype=torch.float32)[None, :, None].repeat(2, 1, 3)


@pytest.mark.parametrize("rows", [1, 2, 7, 14, 16, 24])
def test_k_of_one_keeps_all_tokens(rows):
    tokens = torch.randn(2, rows * rows + 1, 4)
    assert torch.equal(pool(tokens, (rows, rows), 1), tokens)
    assert torch.equal(pool(tokens, (rows, rows), 1, keep_cls=False), tokens[:, 1:])


def test_infinite_k_is_the_class_token_alone():
    tokens = torch.randn(2, 50, 4)
    assert torch.equal(pool(tokens, (7, 7), None), tokens[:, :1])
    assert torch.equal(pool(tokens, (7, 7), None, keep_cls=False), tokens[:, :1])
    without = pool(tokens[:, 1:], (7, 7), None, has_cls=False)
    torch.testing.assert_close(without, tokens[:, 1:].mean(1, keepdim=True))


@pytest.mark.parametrize(
    ("side", "kernel", "count"),  # spec 1.3, [CLS] included
    [
        *[(7, 1, 50), (7, 2, 17), (7, 7, 2)],  # B/32 at 224
        *[(14, 1, 197), (14, 2, 50), (14, 4, 17), (14, 7, 5), (14, 14, 2)],  # B/16 at 224
        *[(16, 1, 257), (16, 2, 65), (16, 4, 17), (16, 8, 5), (16, 16, 2)],  # L/14 at 224
        *[(24, 1, 577), (24, 4, 37), (24, 8, 10)],  # L/14 at 336
        *[(7, None, 1), (14, None, 1), (16, None, 1), (24, None, 1), (7, 100, 2)],
    ],
)
def test_how_many_tokens_are_left(side, kernel, count):
    assert pool(grid_tokens(side, side), (side, side), kernel).shape == (2, count, 3)


def test_averages_of_a_grid_that_k_divides():
    out = pool(grid_tokens(4, 2), (4, 2), 2)
    assert out[0, :, 0].tolist() == [-1, (0 + 1 + 2 + 3) / 4, (4 + 5 + 6 + 7) / 4]


@pytest.mark.parametrize(("rows", "columns", "kernel"), [(3, 5, 2), (7, 7, 4), (5, 3, 4), (2, 3, 9)])
def test_the_last_rows_and_columns_of_odd_grids_are_averaged_over_what_there_is(rows, columns, kernel):
    tokens = torch.randn(2, rows * columns, 3)
    plane = tokens.unflatten(1, (rows, columns))
    blocks = [
        plane[:, y : y + kernel, x : x + kernel].flatten(1, 2).mean(1)
        for y in range(0, rows, kernel)
        for x in range(0, columns, kernel)
    ]
    found = pool(tokens, (rows, columns), kernel, has_cls=False)
    torch.testing.assert_close(found, torch.stack(blocks, dim=1))


@pytest.fixture
def encoder():
    return SceneEncoder(random_encoder(TINY, seed=0), kernel=2)


def test_tokens_of_photos_of_any_size(encoder):
    scenes = photos((50, 80), (33, 10), (1, 1))
    tokens = encoder.encode(scenes)
    assert tokens.shape == (3, 5, 16)
    for scene, row in zip(scenes, tokens, strict=True):
        torch.testing.assert_close(encoder.encode([scene])[0], row, rtol=1e-4, atol=1e-5)


def test_all_of_a_photo_is_seen_unless_its_centre_is_asked_for(encoder):
    photo = photos((40, 120))[0]
    other = photo.copy()
    other[:, :30] = 0  # aside of the middle square
    assert not torch.equal(encoder.encode([photo]), encoder.encode([other]))
    centred = SceneEncoder(encoder.encoder, 2, centre_crop=True)
    assert torch.equal(centred.encode([photo]), centred.encode([other]))
    assert torch.equal(centred.encode([photo]), encoder.encode([photo[:, 40:80]]))


def test_the_encoder_never_learns(encoder):
    """Not in eval mode, not without gradient, not because its output is detached: because of all three."""
    torch.manual_seed(0)
    recognizer = Clip4Str(small_config())
    insert(recognizer, ClipterConfig(kernel=2, scene_dim=encoder.width))
    whole = nn.ModuleDict({"recognizer": recognizer, "scenes": encoder})
    before = {name: p.clone() for name, p in encoder.named_parameters()}
    optimizer = torch.optim.AdamW(whole.parameters(), 1e-2)
    for _ in range(2):
        whole.train()
        assert recognizer.training
        assert not any(part.training for part in encoder.modules())
        tokens = encoder.encode(photos((40, 40), (30, 60)))
        assert not tokens.requires_grad
        context = SceneContext(tokens, torch.tensor([0, 1, 1]), torch.ones(3))
        targets = torch.from_numpy(recognizer.tokenizer.encode(["ab", "j", ""]))
        losses = recognizer.loss(torch.randn(3, 3, 16, 32), targets, torch.Generator(), context=context)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    assert all(not p.requires_grad and p.grad is None for p in encoder.parameters())
    assert all(torch.equal(p, before[name]) for name, p in encoder.named_parameters())
    assert all(p.grad is not None and p.grad.any() for p in recognizer.fusions.parameters())


def test_identity_differs_wherever_tokens_may():
    base = ClipterConfig("random:1", kernel=2, scene_dim=SMALL.width)
    changes = ({"encoder": "random:2"}, {"resolution": 32}, {"kernel": 4}, {"kernel": None}, {"keep_cls": False})
    configs = [base, *(dataclasses.replace(base, **c) for c in (*changes, {"centre_crop": True}))]
    identities = [SceneEncoder.of(cfg).identity for cfg in configs]
    assert len(set(identities)) == len(configs)
    assert SceneEncoder.of(base).identity == identities[0]
    darker = SceneEncoder(random_encoder(SMALL, 1), 2)
    darker.encoder.preprocessing = Preprocessing(64, 64, (0.0, 0.0, 0.0), STD)
    assert darker.identity != identities[0]


def test_random_encoders_are_the_same_for_the_same_seed_and_draw_from_no_one():
    state = torch.get_rng_state()
    one, two, other = load_encoder("random:5"), load_encoder("random:5"), load_encoder("random:6")
    assert torch.equal(torch.get_rng_state(), state)
    image = torch.randn(1, 3, 64, 64)
    assert torch.equal(one(image), two(image))
    assert not torch.equal(one(image), other(image))


def test_the_constant_tells_photos_apart_by_nothing():
    constant = SceneEncoder.of(ClipterConfig("constant:24", scene_dim=24))
    tokens = constant.encode(photos((10, 20), (30, 5)))
    assert tokens.shape == (2, 1, 24)
    assert torch.equal(tokens[0], tokens[1])
    assert SceneEncoder.of(ClipterConfig("constant:24", kernel=1, scene_dim=24)).encode(photos((4, 4))).shape[1] == 2


@pytest.fixture
def clip_folder(tmp_path):
    torch.manual_seed(0)
    cfg = ClipConfig(TINY, TextTowerConfig(50, 8, width=16, layers=1, heads=2), 12)
    return checkpoint.save(Clip(cfg), tmp_path / "clip")


def test_a_clip_of_ours(clip_folder):
    scenes = SceneEncoder.of(ClipterConfig(str(clip_folder), kernel=1, scene_dim=16))
    tower = checkpoint.load(clip_folder)[0].image_tower
    photo = photos((32, 32))
    torch.testing.assert_close(scenes.encode(photo), tower.tokens(torch.from_numpy(scenes.prepare(photo))))
    assert scenes.preprocessing.std == STD
    wider = SceneEncoder.of(ClipterConfig(str(clip_folder), resolution=64, kernel=1, scene_dim=16))
    assert wider.encode(photo).shape == (1, 65, 16)


def test_widths_that_do_not_fit_are_one_line(clip_folder):
    with pytest.raises(ConfigError, match="16 wide, not 768: set scene_dim to 16"):
        SceneEncoder.of(ClipterConfig(str(clip_folder), scene_dim=768))


@pytest.mark.parametrize(
    "name",
    ["random:ViT-X:1", "constant:wide", "random:ViT-B-32:x", "constant:0", "constant:9999999", f"random:{10**20}"],
)
def test_malformed_names_are_one_line(name):
    with pytest.raises(ConfigError, match="scene encoder"):
        load_encoder(name)


def test_folders_that_are_no_encoder_are_one_line(tmp_path):
    with pytest.raises(ModelError, match="readable config"):
        load_encoder(str(tmp_path))


def test_folders_with_damage_are_one_line(tmp_path):
    (tmp_path / "config.json").write_text("5")
    with pytest.raises(ModelError, match="describes no model"):
        load_encoder(str(tmp_path))
    pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip_vision_model", **sizes}))
    for weights in ("pytorch_model.bin", "model.safetensors"):
        (tmp_path / weights).write_bytes(b"neither this nor that" * 9)
        with pytest.raises(ModelError, match="weights cannot be read") as caught:
            load_encoder(str(tmp_path))
        assert "\n" not in str(caught.value)


def test_resolutions_that_do_not_fit_are_one_line():
    with pytest.raises(ConfigError, match="resolution 8"):
        load_encoder("random", 8)


HUB = {
    # class, its config class, further sizes, tokens besides the grid
    "clip": ("CLIPModel", "CLIPConfig", {}, 1),
    "clip, vision alone": ("CLIPVisionModel", "CLIPVisionConfig", {}, 1),
    "siglip": ("SiglipModel", "SiglipConfig", {}, 0),
    "siglip 2": ("Siglip2Model", "Siglip2Config", {"num_patches": 16}, 0),
    "blip": ("BlipModel", "BlipConfig", {}, 1),
    "owl-vit": ("OwlViTModel", "OwlViTConfig", {}, 1),
    "dinov2": ("Dinov2Model", "Dinov2Config", {}, 1),
    "dinov2, registers": ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", {"num_register_tokens": 3}, 1),
}


@pytest.fixture
def hub_folder(request, tmp_path):
    """A tiny model of transformers with random weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model, config, more, _ = HUB[request.param]
    both = config in ("CLIPConfig", "SiglipConfig", "Siglip2Config", "BlipConfig", "OwlViTConfig")
    sizes = {"vision_config": VISION | more, "text_config": TEXT} if both else VISION | more
    getattr(transformers, model)(getattr(transformers, config)(**sizes)).save_pretrained(tmp_path)
    values = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    return request.param, tmp_path


@pytest.mark.parametrize("hub_folder", HUB, indirect=True)
def test_vision_models_of_transformers(hub_folder):
    name, folder = hub_folder
    has_cls = bool(HUB[name][3])
    photo = photos((50, 80))
    for resolution, side in ((None, 4), (48, 6)):
        cfg = ClipterConfig(str(folder), resolution=resolution, kernel=1, scene_dim=16)
        scenes = SceneEncoder.of(cfg)
        assert scenes.encode(photo).shape == (1, side * side + has_cls, 16)
        assert scenes.encoder.has_cls == has_cls
        assert scenes.preprocessing == Preprocessing(8 * side, 8 * side, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
        assert not any(p.requires_grad for p in scenes.parameters())
        assert not any(part.training for part in scenes.train().modules())
        pooled = SceneEncoder(scenes.encoder, None).encode(photo)
        whole = scenes.encode(photo)
        torch.testing.assert_close(pooled, whole[:, :1] if has_cls else whole.mean(1, keepdim=True))


@pytest.mark.parametrize("hub_folder", ["clip", "siglip 2", "dinov2, registers"], indirect=True)
def test_tokens_of_the_grid_are_where_they_are_said_to_be(hub_folder):
    """Each patch through the model's own embedding of patches, without blocks that would mix them."""
    _, folder = hub_folder
    encoder = load_encoder(str(folder))
    embedded = []
    embedding = next(
        part for n, part in encoder.vision.named_modules() if n.endswith(("patch_embedding", "projection"))
    )
    embedding.register_forward_hook(lambda _, __, out: embedded.append(out.detach()))
    image = torch.zeros(1, 3, 32, 32)
    image[:, :, 16:24, 8:16] = 1.0  # row 2, column 1: cell 9
    encoder(torch.zeros(1, 3, 32, 32))
    encoder(image)
    dark, lit = (x if x.ndim == 3 else x.flatten(2).transpose(1, 2) for x in embedded)
    assert (dark != lit).any(-1)[0].nonzero().flatten().tolist() == [9]


@pytest.mark.parametrize("hub_folder", ["siglip 2"], indirect=True)
@pytest.mark.parametrize("resolution", [None, 48])
def test_naflex_models_give_what_they_give_by_themselves(hub_folder, resolution):
    from transformers import AutoModel

    folder = hub_folder[1]
    encoder = load_encoder(str(folder), resolution)
    vision = AutoModel.from_pretrained(folder).vision_model.eval()
    images, (rows, columns) = torch.randn(2, 3, 8 * encoder.grid[0], 8 * encoder.grid[1]), encoder.grid
    patches = images.unflatten(3, (columns, 8)).unflatten(2, (rows, 8)).permute(0, 2, 4, 3, 5, 1)
    patches = patches.flatten(3).flatten(1, 2)
    there, shapes = torch.ones(2, rows * columns, dtype=torch.long), torch.tensor([encoder.grid] * 2)
    with torch.no_grad():
        own = vision(pixel_values=patches, pixel_attention_mask=there, spatial_shapes=shapes).last_hidden_state
        torch.testing.assert_close(encoder(images), own)


@pytest.mark.slow
@pytest.mark.parametrize("hub_folder", ["clip", "siglip 2", "dinov2, registers"], indirect=True)
def test_vision_models_of_transformers_become_graphs(hub_folder, tmp_path):
    folder = hub_folder[1]
    torch.manual_seed(0)
    cls, cfg = PRESETS["crnn-compact"]
    model = cls(cfg).eval()
    insert(model, ClipterConfig(str(folder), resolution=48, kernel=4, scene_dim=16))
    pack = export_pack(model, tmp_path / "pack", name="told", weights="float32")
    found, seen = OnnxRecognizer(pack, "cpu", 1), photos((50, 80), (20, 30))
    wanted = SceneEncoder.of(model.clipter).encode(seen).numpy()
    for count in (1, 2):
        np.testing.assert_allclose(found.encode_scenes(seen[:count]), wanted[:count], atol=1e-4)


def test_a_model_that_is_nowhere_is_one_line(monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="no-one/nothing-here") as caught:
        load_encoder("no-one/nothing-here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("files", ["code for the model", "code for its configuration"])
def test_code_that_comes_with_an_encoder_is_never_run_nor_offered(tmp_path, monkeypatch, files):
    pytest.importorskip("transformers")
    folder = tmp_path / "encoder"
    folder.mkdir()
    automatic = {"AutoConfig": "theirs.TheirConfig", "AutoModel": "theirs.TheirModel"}
    if files == "code for the model":
        del automatic["AutoConfig"]
    kind = "theirs" if files == "code for its configuration" else "clip_vision_model"
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "auto_map": automatic, "hidden_size": 16}))
    (folder / "theirs.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w').close()")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run it"))
    with pytest.raises(ModelError) as error:
        load_encoder(str(folder))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_an_encoder_that_a_file_names_is_not_fetched_unasked(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    model = Clip4Str(small_config())
    insert(model, ClipterConfig(encoder="somebody/their-encoder", scene_dim=16))
    folder = checkpoint.save(model, tmp_path / "told")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was made"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    loaded, about = checkpoint.load(folder)
    for unasked in (lambda: scene_encoder(loaded, about), lambda: export_pack(loaded, tmp_path / "pack", name="x")):
        with pytest.raises(ModelError, match="which a file names, is not on this machine"):
            unasked()
