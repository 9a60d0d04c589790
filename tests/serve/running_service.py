"""A service that runs, and pictures to send to it."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from PIL import Image, ImageDraw, ImageFont

WORDSIGHT = str(Path(sys.executable).with_name("wordsight"))


def picture(*texts: str, form: str = "PNG") -> bytes:
    """A plain photo with a line for each text."""
    image = Image.new("RGB", (260, 220), (250, 245, 235))  # near square: the detector enlarges the short side
    pen = ImageDraw.Draw(image)
    for row, text in enumerate(texts):
        pen.text((20, 30 + 90 * row), text, (20, 30, 60), ImageFont.load_default(50))
    data = io.BytesIO()
    image.save(data, form)
    return data.getvalue()


def crop(text: str) -> bytes:
    """A picture of one word and nothing else."""
    font = ImageFont.load_default(40)
    left, top, right, bottom = map(int, font.getbbox(text))
    image = Image.new("RGB", (right - left + 12, bottom - top + 12), (250, 245, 235))
    ImageDraw.Draw(image).text((6 - left, 6 - top), text, (20, 30, 60), font)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


@dataclass
class Running:
    """`wordsight serve` in a process of its own."""

    url: str
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits. Returns the status."""
        self.process.send_signal(number)
        return self.process.wait(30)


Start = Callable[..., Running]


def start(*options: str, **environment: str) -> Running:
    """Starts a service on a free port and waits until it is ready."""
    process = subprocess.Popen(
        [WORDSIGHT, "serve", "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    found = re.search(r"http://\S+", first)
    assert found, first + process.stderr.read()
    running = Running(found[0].rstrip("/"), process)

    def keep(lines: Iterator[str]) -> None:
        running.log.extend(lines)

    threading.Thread(target=keep, args=(process.stderr,), daemon=True).start()
    for _ in range(600):
        if httpx2.get(running.url + "/health/ready").status_code == 200:
            return running
        threading.Event().wait(0.05)
    raise AssertionError("the service did not become ready")
