"""What a detector is shown of a picture: how large, and where its points lie."""

import numpy as np
import pytest

from wordsight.detect.frames import STRIDE, framed, input_scale, network_input


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((720, 1280), 736 / 720),  # a photograph of a phone from 2014, just enlarged
        ((480, 640), 736 / 480),
        ((960, 1280), 1.0),
        ((3000, 4000), 0.5),
        ((500, 20000), 0.1),
        ((100, 150), 2.0),
        ((80, 600), 2.0),
    ],
)
def test_scales(size, scale):
    assert input_scale(*size, 2000) == pytest.approx(scale)
    assert input_scale(*size[::-1], 2000) == pytest.approx(scale)


@pytest.mark.parametrize("size", [(80, 600), (120, 960), (40, 1500), (600, 80), (300, 900), (12, 400)])
def test_cost_follows_pixels(size):
    """A strip costs at most four times its own pixels, and never more than a photograph of 1280 x 720."""
    pixels = np.prod(framed(np.zeros((*size, 3), np.uint8), 2000)[0].shape[:2])
    photo = np.prod(framed(np.zeros((720, 1280, 3), np.uint8), 2000)[0].shape[:2])
    height, width = size
    assert pixels <= (2 * height + STRIDE) * (2 * width + STRIDE)
    assert pixels <= 1.15 * photo


@pytest.mark.parametrize("size", [(1, 1), (33, 65), (720, 1280), (3000, 40)])
def test_points_come_back(size):
    picture, frame = framed(np.zeros((*size, 3), np.uint8), 2000)
    height, width = picture.shape[:2]
    assert height % STRIDE == width % STRIDE == 0
    corners = frame.to_picture(np.array([[0, 0], [width, height]], np.float64))
    assert (corners[0] <= 0).all()
    assert (corners[1] >= np.array(size[::-1]) - 1).all()
    middle = frame.to_picture(np.array([[width / 2, height / 2]]))[0]
    assert middle == pytest.approx(np.array(size[::-1]) / 2, abs=1)


def test_values():
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 255
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    batch = network_input(image, mean, std)
    assert batch.dtype == np.float32
    assert batch[0, :, 5, 5] == pytest.approx([0.6 / 0.2, -0.5 / 0.25, -0.6 / 0.3])
    blue = network_input(image, mean, std, blue_first=True)
    assert blue[0, :, 5, 5] == pytest.approx([-0.6 / 0.3, -0.5 / 0.25, 0.6 / 0.2])
