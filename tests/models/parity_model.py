"""The recognizer of the numeric reference (spec 9) in our classes."""

from wordsight.models.clip4str import Clip4Str
from wordsight.weights.choices import Choices
from wordsight.weights.recognizers import read_clip4str
from wordsight.weights.tensors import Tensors


def converted(parity):
    tensors = Tensors(parity["state_dict"], "the reference")
    read = read_clip4str(tensors, {"hyper_parameters": parity["hparams"]}, Choices())
    model = Clip4Str(read.config)
    model.load_state_dict(read.state)
    return model.eval()
