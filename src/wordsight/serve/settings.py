"""What a service is told when it starts, and what it refuses."""

from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Settings:
    """Of one service. The limits that have no option on the command line are what reading photographs needs.

    Attributes:
        model: a shipped model's name, or the folder of a pack.
        device: see `Reader`.
        threads: of the recognizer and of the detector; None: as many as there are processors.
        queue: requests that may wait for a thread; the next one is answered 503.
        timeout: seconds from a request's arrival to its answer, else 504. Uploading has as long again before.
        max_bytes: of one picture, or of all crops of a request.
        max_pixels: of one picture.
        api_key: what clients must present; None: nothing.
    """

    model: str | Path = "latin"
    device: str = "auto"
    threads: int | None = None
    queue: int = 64
    timeout: float = 30.0
    max_bytes: int = 25 * MEGABYTE
    max_pixels: int = 50_000_000
    api_key: str | None = None

    workers: int = 8
    """Requests that are read at the same time. As many of them work at a time as there are processors."""

    @property
    def most_bytes(self) -> int:
        """Of all bodies in memory at a time."""
        return max(256 * MEGABYTE, 2 * self.max_bytes)

    @property
    def most_pixels(self) -> int:
        """Of all pictures that are decoded at a time: three bytes each, nine while they are decoded.

        Those of 16 bits a colour, which take 22 (RGBA, 4000 x 4000), count four times (`engine._pixels`).
        """
        return 2 * self.max_pixels


MAX_BOXES = 1000
MAX_POINTS = 100  # of a box; annotated curves have some twenty
MAX_COVER = 4  # times that boxes may cover their picture, all taken together
MAX_CROPS = 1000  # of one request
MAX_BATCH = 1000  # pictures of one request
MAX_FIELDS = MEGABYTE  # bytes of all that is no picture in a form
MAX_NAME = 255
MAX_OPTIONS = 100  # parts of a form that are no pictures: there are some ten options
# Of a constraint, about 100 bytes each: a pattern for dates has 11, a list of 5,000 words 40,000. What decoding takes
# grows with it, too.
MAX_TRANSITIONS = 100_000
# Of compiling a pattern, half a microsecond each. A pattern for dates takes some 200, one of 140 words 70,000.
MAX_WORK = 150_000
