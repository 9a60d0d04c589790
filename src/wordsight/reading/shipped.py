"""The parts that a reader takes where it is given none of its own. Loaded when they are called for."""

from wordsight.reading.parts import Recognizer


def shipped_line_reader(threads: int | None) -> Recognizer:
    """The default model, which finds the words of a line for recognizers that take one word at a time."""
    from wordsight.runtime import OnnxRecognizer, find_model, load_pack

    return OnnxRecognizer(load_pack(find_model()), "cpu", threads)
