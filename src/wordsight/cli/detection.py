"""`wordsight eval --detection`: the boxes that a detector finds, whatever is read in them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from wordsight.cli.progress import progress

if TYPE_CHECKING:
    from wordsight.data import Scene
    from wordsight.evaluate import SpottingScore


def evaluate_detector(
    detector: str, data: "Mapping[str, Sequence[Scene]]", threads: int | None, max_side: int | None
) -> dict[str, "SpottingScore"]:
    """Finds the words of scenes, prints the score of each data set, and returns it."""
    from wordsight.detect import TextDetector
    from wordsight.evaluate import SpottingScore, score_boxes

    options = {} if max_side is None else {"max_side": max_side}
    finder = TextDetector(detector, threads=threads, **options)  # type: ignore[arg-type]
    scores: dict[str, SpottingScore] = {}
    for name, scenes in data.items():
        score = SpottingScore(0, 0, 0, 0, 0, 0, 0)
        for scene in progress(scenes, len(scenes), name):
            found = [box.polygon for box in finder.detect(scene.load())]
            words = scene.words
            score += score_boxes([word.polygon for word in words], [word.legible for word in words], found)
        scores[name] = score
        precision, recall, hmean = (100 * value for value in score.detection())
        typer.echo(
            f"{name}: precision {precision:.2f}, recall {recall:.2f}, H-mean {hmean:.2f} (IoU > 0.5; {score.scenes} "
            f"scenes, {score.truths} words, {score.ignored_truths} illegible ones left out)"
        )
    return scores
