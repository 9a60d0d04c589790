"""One JSON object of `Photo.to_json` a line."""

from wordsight.export.format import Format

FORMAT = Format(lambda photo, *_: photo.to_json() + "\n")
