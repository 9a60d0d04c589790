"""A JSON list of the objects that `Photo.to_json` writes."""

from wordsight.export.format import Format

FORMAT = Format(lambda photo, *_: photo.to_json(), head="[\n", separator=",\n", tail="\n]\n")
