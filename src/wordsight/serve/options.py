"""What clients may ask for, in the query of the address or as fields of a form."""

import json
from typing import Annotated, Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wordsight.serve.refusals import Refusal, malformed
from wordsight.serve.settings import MAX_BOXES, MAX_NAME, MAX_POINTS

Model = TypeVar("Model", bound=BaseModel)


class Constrained(BaseModel):
    """What words may be. One of the three at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: Annotated[str | None, Field(description="The characters that words may contain.")] = None
    pattern: Annotated[
        str | None, Field(description="A regular expression that words match as a whole.", examples=["[A-Z0-9 ]+"])
    ] = None
    lexicon: Annotated[
        str | None, Field(description="The words that may be read, one per line; case does not matter.")
    ] = None
    characters: Annotated[bool, Field(description="Whether JSON lists every character with its alternatives.")] = True


class BatchOptions(Constrained):
    """Of photographs."""

    min_confidence: Annotated[
        float | None,
        Field(ge=0, le=1, description="Words below it are left out; by default 0.45, or 0 for given boxes."),
    ] = None


class ReadOptions(BatchOptions):
    """Of one photograph."""

    name: Annotated[
        str | None,
        Field(
            max_length=MAX_NAME, description="The picture's name in the response; by default its file name, or `image`."
        ),
    ] = None
    format: Annotated[str, Field(description="json, text, hocr, csv, tsv, or another that wordsight writes.")] = "json"
    boxes: Annotated[
        str | None,
        Field(
            description="JSON: boxes to read, instead of detecting text. Each box is [left, top, right, bottom] or "
            "[[x, y], ...] from the text's top left, clockwise, in pixels of the upright picture.",
            examples=["[[40, 30, 280, 100]]"],
        ),
    ] = None

    def polygons(self) -> list[Any] | None:
        """The boxes as the library takes them, which also checks their points.

        Raises:
            Refusal: they are not a list of boxes, or too many.
        """
        if self.boxes is None:
            return None
        try:
            boxes = json.loads(self.boxes)
        except (ValueError, RecursionError):
            boxes = None
        if not isinstance(boxes, list) or not all(isinstance(box, list) for box in boxes):
            raise malformed("boxes are not a JSON list of boxes: give [[left, top, right, bottom], ...]")
        if len(boxes) > MAX_BOXES or any(len(box) > MAX_POINTS for box in boxes):
            raise malformed(f"there are over {MAX_BOXES} boxes, or over {MAX_POINTS} points in one: give fewer")
        return [_corners(box) for box in boxes]


def _corners(box: list[Any]) -> list[Any]:
    if len(box) == 4 and all(isinstance(value, int | float) for value in box):
        left, top, right, bottom = box
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    return box


def parse(model: type[Model], values: dict[str, str]) -> Model:
    """Options from their texts.

    Raises:
        Refusal: one of them is unknown or invalid.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise one_line(error) from None


def one_line(error: ValidationError | RequestValidationError) -> Refusal:
    """The first thing that is wrong with options."""
    first = error.errors()[0]
    name = str(first["loc"][-1]) if first["loc"] else "the request"
    if first["type"] == "extra_forbidden":
        return malformed(f"there is no option {name[:60]!r}: /docs lists those that there are")
    return malformed(f"{name}: {first['msg'][:1].lower()}{first['msg'][1:]}")
