"""One reader under load: many threads, many reads, damaged files. With the real detector.

The quick tests have a toy recognizer, the slow ones the shipped one. The detector enlarges every photo to 736 pixels
and takes most of the time, so that one read in ten uses it, in slow tests one in thirty.
"""

import gc
import io
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from wordsight import Photo, Reader, Word, WordsightError

WHOLE = [(0, 0), (140, 0), (140, 120), (0, 120)]


def _sign(text: str) -> Image.Image:
    """A small photo of a sign, large enough for the detector to find its text."""
    image = Image.effect_noise((140, 120), 12).convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.rectangle((10, 30, 130, 90), fill=(20, 60, 140))
    pen.text((16, 45), text, font=ImageFont.load_default(24), fill=(250, 250, 240))
    return image


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("signs")
    paths = []
    for k, text in enumerate(["OPEN 24h", "Exit here", "No. 1729", "CAFE BAR", "Main St.", "Bus 42"]):
        paths.append(folder / f"{k}.png")
        _sign(text).save(paths[-1])
    return paths


def _same_in_threads(reader: Reader, signs: list[Path], threads: int, reads: int, detecting: float = 0.1) -> None:
    detected = {path: reader.read(path) for path in signs}
    given = {path: reader.read(path, [WHOLE]) for path in signs}
    assert any(photo.words for photo in detected.values())
    assert all(photo.words for photo in given.values())
    words = reader.read_crops(signs)

    def work(seed: int) -> int:
        dice = np.random.default_rng(seed)
        for _ in range(reads):  # of all kinds at once: the options of one call must not reach another
            path = signs[int(dice.integers(len(signs)))]
            kind = dice.random()
            if kind < detecting:
                assert reader.read(path) == detected[path]
            elif kind < 0.7:
                assert reader.read(path, [WHOLE]) == given[path]
            else:
                assert reader.read_crops(signs) == words
        return seed

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(work, range(threads))) == list(range(threads))


def test_threads_get_the_results_of_one_thread(toy_pack: Path, signs: list[Path]) -> None:
    """PaddleOCR's predict() mixes up results across threads (its issue 18268)."""
    _same_in_threads(Reader(toy_pack, threads=1), signs[:3], threads=8, reads=8)


@pytest.mark.slow
def test_16_threads_times_200_reads_get_the_results_of_one_thread(shipped: Reader, signs: list[Path]) -> None:
    _same_in_threads(shipped, signs, threads=16, reads=200, detecting=0.03)


def test_batch_size_and_company_do_not_change_a_result(toy_pack: Path, signs: list[Path]) -> None:
    crops = [Image.open(path) for path in signs] * 3
    alone = [word for crop in crops for word in Reader(toy_pack).read_crops([crop])]
    for size in (1, 2, 7, 64):
        assert [w.text for w in Reader(toy_pack, batch_size=size).read_crops(crops)] == [w.text for w in alone]


def _resident() -> int:
    """Bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _growth(reader: Reader, signs: list[Path], rounds: int, reads: int, detecting: int = 10) -> list[int]:
    """By how many bytes memory grew in each of some rounds of reads, the first one left out."""

    def read(count: int) -> None:
        for k in range(count):
            size = (120 + 10 * (k % 7), 120 + 5 * (k % 5))  # shapes vary, as photos do
            reader.read(
                np.asarray(Image.open(signs[k % len(signs)]).resize(size)), None if k % detecting == 0 else [WHOLE]
            )
        gc.collect()

    held = []
    for _ in range(rounds + 1):
        read(reads)
        held.append(_resident())
    return np.diff(held).tolist()


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured through /proc")


@needs_proc
def test_memory_stays_flat(toy_pack: Path, signs: list[Path]) -> None:
    """EasyOCR grows with every read (its issues 815, 983).

    A leak shows in every round; what the allocator keeps for later, only in some.
    """
    assert min(_growth(Reader(toy_pack, threads=1), signs, rounds=8, reads=20)) < 500_000  # 25 kB a read


@needs_proc
@pytest.mark.slow
def test_memory_stays_flat_over_5000_reads(shipped: Reader, signs: list[Path]) -> None:
    growth = _growth(shipped, signs, rounds=5, reads=1000, detecting=30)
    assert min(growth) < 2e6
    assert sum(growth) < 40e6


def test_reader_is_freed_when_it_is_dropped(toy_pack: Path, signs: list[Path]) -> None:
    reader = Reader(toy_pack, threads=1)
    reader.read(signs[0])
    gone = weakref.ref(reader._recognizer), weakref.ref(reader._detector())
    del reader
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def _files(count: int, folder: Path, signs: list[Path]) -> tuple[list[Path], list[Path]]:
    """Damaged files, and untouched ones among them: one in ten. Returns all in order, and the untouched ones."""
    dice = np.random.default_rng(7)
    originals = []
    for k, form in enumerate(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]):
        stream = io.BytesIO()
        Image.open(signs[k]).save(stream, form)
        originals.append(stream.getvalue())
    everything, untouched = [], []
    for k in range(count):
        path = folder / f"{k:05}.img"
        data = bytearray(originals[k % len(originals)])
        if k % 11 == 0:
            untouched.append(path)
        else:
            for _ in range(dice.integers(1, 6)):
                at = int(dice.integers(min(64, len(data)) if dice.random() < 0.5 else len(data)))
                data[at] = dice.integers(256)
            if dice.random() < 0.3:
                del data[int(dice.integers(1, len(data))) :]
        path.write_bytes(data)
        everything.append(path)
    return everything, untouched


def _survives(reader: Reader, folder: Path, signs: list[Path], count: int) -> None:
    """All untouched files are read as they are read alone, all others are read or refused, one line each."""
    everything, untouched = _files(count, folder, signs)
    alone = {path: reader.read_crops([path])[0] for path in untouched}
    for path, word in zip(everything, reader.iter_crops(everything), strict=True):
        assert isinstance(word, Word | WordsightError)
        if path in alone:
            assert word == alone[path]
        elif isinstance(word, WordsightError):
            assert str(path) in str(word)
            assert "\n" not in str(word)
    refused = 0
    for path in everything:
        try:
            assert isinstance(reader.read(path, [WHOLE]), Photo)
        except WordsightError:
            refused += 1
            assert path not in alone
    assert 0 < refused < count


def test_damaged_files_do_no_harm(toy_pack: Path, tmp_path: Path, signs: list[Path]) -> None:
    _survives(Reader(toy_pack, threads=1), tmp_path, signs, 110)


@pytest.mark.slow
def test_1000_damaged_files_and_100_untouched_ones(shipped: Reader, tmp_path: Path, signs: list[Path]) -> None:
    _survives(shipped, tmp_path, signs, 1100)
