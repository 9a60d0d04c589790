"""What people pass as a picture: open files, uploads, tensors, lists; and what they pass by mistake."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.errors import ConfigError, ImageError
from wordsight.imaging import load_image, name_of, several


def picture(height: int = 24, width: int = 40) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 2], axis=2).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


class Upload:
    """As Starlette and FastAPI hand them over: `read` is a coroutine, the file is beside it."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)
        self.filename = "sign.png"

    async def read(self) -> bytes:
        return self.file.read()


class Pipe:
    """It can be read once, and not be rewound."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


class Tensor:
    """As a tensor with a gradient on another device: no array until it is detached and brought over."""

    def __init__(self, array: np.ndarray, steps: tuple[str, ...] = ("detach", "cpu")) -> None:
        self._array, self._steps = array, steps

    def detach(self) -> "Tensor":
        return Tensor(self._array, self._steps[1:])

    def cpu(self) -> "Tensor":
        return Tensor(self._array, self._steps[1:])

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        if self._steps:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return self._array


def test_whatever_has_read(tmp_path):
    path = tmp_path / "sign.png"
    path.write_bytes(png(picture()))
    written = io.BytesIO()
    written.write(path.read_bytes())  # and left at its end
    with path.open("rb") as file:
        for source in (written, written, file, file, Upload(path.read_bytes()), Pipe(path.read_bytes())):
            np.testing.assert_array_equal(load_image(source), picture())
        assert name_of(file) == str(path)
    assert name_of(Upload(b"")) == "sign.png"
    assert name_of(written) == "<stream>"


def test_streams_that_give_no_bytes(tmp_path):
    path = tmp_path / "sign.png"
    path.write_bytes(png(picture()))
    with path.open(encoding="latin-1") as text, pytest.raises(ImageError, match="gives str, not bytes"):
        load_image(text)
    with path.open() as text, pytest.raises(ImageError, match="open it again with open"):
        load_image(text)
    with pytest.raises(ImageError, match="closed file"):
        load_image(text)

    class Remote:
        async def read(self) -> bytes:
            return b""

    with pytest.raises(ImageError, match=r"await file\.read"):
        load_image(Remote(), name="photo.png")


def test_tensors_and_lists():
    rgb = picture()
    for source in (Tensor(rgb), Tensor(rgb.transpose(2, 0, 1)), rgb.tolist(), tuple(rgb), list(rgb / 255)):
        np.testing.assert_array_equal(load_image(source), rgb)
    np.testing.assert_array_equal(load_image(Tensor(rgb[None, ..., 0])), np.repeat(rgb[..., :1], 3, axis=2))
    np.testing.assert_array_equal(load_image(rgb[..., 0].tolist()), np.repeat(rgb[..., :1], 3, axis=2))
    assert name_of(rgb.tolist()) == name_of(Tensor(rgb)) == "<array>"
    with pytest.raises(ImageError, match="cannot be converted to an array"):
        load_image(Tensor(rgb, ("detach", "cpu", "and more")))


def test_tensors_of_pytorch():
    torch = pytest.importorskip("torch")
    rgb = picture()
    chw = torch.from_numpy(rgb).permute(2, 0, 1)
    for source in (chw, chw / 255, (chw / 255).requires_grad_(), chw.permute(1, 2, 0), chw.long()):
        np.testing.assert_array_equal(load_image(source), rgb)
    np.testing.assert_allclose(load_image((chw / 255).bfloat16()), rgb, atol=1)
    with pytest.raises(ImageError, match="cannot be converted to an array"):
        load_image(torch.empty(3, 24, 40, device="meta"))
    with pytest.raises(ImageError, match=r"shape \(1, 3, 24, 40\)"):
        load_image(chw[None])


@pytest.mark.parametrize("size", [100, 3000, 200_000])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_text_in_base64_gets_one_short_line(size, encode):
    data = png(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))[:size]
    for text in (encode(data).decode(), f"data:image/png;base64,{encode(data).decode()}", "DATA:image/svg+xml,<svg/>"):
        with pytest.raises(ImageError, match="pass its bytes") as caught:
            load_image(text)
        assert len(str(caught.value)) < 120
        assert "\n" not in str(caught.value)
        with pytest.raises(ImageError, match=r"written as text, which base64\.b64decode turns back into bytes"):
            load_image(text.encode())


@pytest.mark.parametrize(
    "one",
    ["a/sign.png", Path("a/sign.png"), b"bytes", io.BytesIO(), picture(), picture()[..., 0], Image.new("L", (9, 9))],
)
def test_one_picture_is_not_taken_for_several(one):
    with pytest.raises(ConfigError, match="is one picture where several are expected: put it in a list"):
        several(one)
    assert several([one]) == [one]


def test_several_pictures():
    for many in (["a.png"], ("a.png",), iter(["a.png"]), np.array(["a.png"]), np.zeros((2, 24, 40)), [picture()]):
        assert several(many) is many


def test_long_names_are_shown_by_their_ends():
    with pytest.raises(ImageError) as caught:
        load_image("begin" + "x" * 5000 + "end.png")
    assert len(str(caught.value)) < 300
    assert str(caught.value).startswith("begin")
    assert "end.png" in str(caught.value)


def test_addresses_are_not_fetched():
    with pytest.raises(ImageError, match=r"https://example\.com/sign\.png is an address, and nothing is fetched"):
        load_image("https://example.com/sign.png")
