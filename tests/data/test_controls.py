"""The controls: what each leaves of a scene, and what it takes away."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from wordsight.data.controls import CONTROLS, Mode, control, scene_key, shuffled
from wordsight.errors import ConfigError

WALL, INK = (150, 120, 90), (20, 240, 30)


def _scene() -> tuple[np.ndarray, list[np.ndarray]]:
    """A wall with three words in one colour, two of them neighbours, one turned and at the picture's edge."""
    picture = Image.new("RGB", (240, 160), WALL)
    draw = ImageDraw.Draw(picture)
    corners = [
        [(20, 20), (100, 20), (100, 44), (20, 44)],
        [(106, 20), (190, 20), (190, 44), (106, 44)],
        [(150, 110), (236, 130), (232, 159), (144, 136)],
    ]
    for word in corners:
        draw.polygon(word, fill=INK)
    return np.asarray(picture), [np.array(word, dtype=np.float64) for word in corners]


def _ink(pixels: np.ndarray) -> np.ndarray:
    return (pixels == INK).all(-1)


def test_every_mode_gives_a_picture() -> None:
    pixels, polygons = _scene()
    before = pixels.copy()
    for mode in CONTROLS:
        seen = control(pixels, polygons, 0, mode)
        assert seen.dtype == np.uint8
        assert seen.ndim == 3
        assert (seen is pixels) == (mode in {"real", "shuffle", "random-encoder", "none"})
        assert (pixels == before).all()
    with pytest.raises(ConfigError, match="mask-text"):
        control(pixels, polygons, 0, "upside-down")  # type: ignore[arg-type]


def test_masks_take_the_ink_and_nothing_else_away() -> None:
    pixels, polygons = _scene()
    all_masked = control(pixels, polygons, 0, "mask-text")
    assert not _ink(all_masked).any()
    # The neighbour's ink is not taken for the surroundings, although it is nearer than the wall.
    assert (all_masked == WALL).all()
    one = control(pixels, polygons, 1, "mask-word")
    own = np.zeros(pixels.shape[:2], bool)
    own[20:45, 106:191] = True
    assert not _ink(one)[own].any()
    grown = np.zeros_like(own)
    grown[14:51, 100:197] = True
    assert (one[~grown] == pixels[~grown]).all()
    assert _ink(one).sum() > 0.5 * _ink(pixels).sum()


def test_a_word_outside_the_picture_or_all_over_it_is_no_trouble() -> None:
    pixels, _ = _scene()
    outside = np.array([[400.0, 300], [450, 300], [450, 320], [400, 320]])
    everything = np.array([[-9.0, -9], [300, -9], [300, 200], [-9, 200]])
    assert (control(pixels, [outside], 0, "mask-word") == pixels).all()
    assert control(pixels, [outside, everything], 0, "mask-text").std((0, 1)).max() == 0


def test_blur_leaves_no_shape_but_the_colours() -> None:
    pixels, polygons = _scene()
    seen = control(pixels, polygons, 0, "blur").astype(float)
    assert np.abs(np.diff(seen, axis=1)).max() <= 4
    assert np.allclose(seen.mean((0, 1)), pixels.mean((0, 1)), atol=6)


def test_what_is_one_for_all_scenes_is_one() -> None:
    pixels, polygons = _scene()
    other = np.zeros((70, 300, 3), np.uint8)
    for mode in ("gray", "constant"):
        assert (control(pixels, polygons, 0, mode) == control(other, [], 0, mode)).all()
    assert (control(pixels, [], 0, "gray") == 128).all()
    assert control(pixels, [], 0, "constant").std() > 20
    assert (control(pixels, [], 0, "constant", seed=1) != control(pixels, [], 0, "constant")).any()


@pytest.mark.parametrize("mode", list(CONTROLS))
def test_pictures_with_one_key_are_the_same(mode: Mode) -> None:
    pixels, polygons = _scene()
    seen: dict[str, np.ndarray] = {}
    for scene, photo in (("a", pixels), ("b", pixels[::-1].copy())):
        for word in range(3):
            if mode == "none":
                continue
            key, picture = scene_key(scene, word, mode), control(photo, polygons, word, mode)
            assert np.array_equal(seen.setdefault(key, picture), picture)
    keys = {scene_key(scene, word, mode) for scene in "ab" for word in range(3)}
    assert len(keys) == {"mask-word": 6, "gray": 1, "constant": 1, "none": 1}.get(mode, 2)


def test_controls_that_leave_the_pixels_share_the_picture_with_the_real_scene() -> None:
    assert scene_key("x", 0, "shuffle") == scene_key("x", 0, "random-encoder") == scene_key("x", 0, "real")
    assert scene_key("x", 0, "constant", 1) != scene_key("x", 0, "constant", 2)


def test_shuffling_moves_every_scene() -> None:
    for count in (2, 3, 10, 500):
        ids = [f"scene-{n}" for n in range(count)]
        for seed in range(5):
            moved = shuffled(ids * 2, seed)  # names come once for every word of a scene
            assert set(moved) == set(moved.values()) == set(ids)
            assert all(old != new for old, new in moved.items())
            assert moved == shuffled(ids, seed)
    assert shuffled(ids, 0) != shuffled(ids, 1)
    with pytest.raises(ConfigError, match="at least two"):
        shuffled(["alone", "alone"])
