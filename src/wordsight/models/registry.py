"""All models by name, and the recognizers with their sizes. A recognizer is one folder and one line here."""

from collections.abc import Mapping

from wordsight.errors import ConfigError
from wordsight.models.abinet import ABINET_PRESETS, Abinet
from wordsight.models.clip import Clip
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.crnn import CRNN_PRESETS, Crnn
from wordsight.models.model import Model
from wordsight.models.parseq import PARSEQ_PRESETS, Parseq
from wordsight.models.ppocr import SVTR_PRESETS, Db, Svtr
from wordsight.models.recognizer import Recognizer, RecognizerConfig
from wordsight.models.trba import TRBA_PRESETS, Trba
from wordsight.models.vitstr import VITSTR_PRESETS, Vitstr

MODELS: dict[str, type[Model]] = {model.architecture: model for model in (Clip, Db)}
"""Architecture to class: of recognizers, of the towers that they start from, and of detectors."""

PRESETS: dict[str, tuple[type[Recognizer], RecognizerConfig]] = {}
"""Name to recognizer class and configuration."""


def register(model: type[Recognizer], presets: Mapping[str, RecognizerConfig]) -> None:
    """Makes a recognizer known to checkpoints, packs and training, and its sizes by their names.

    Raises:
        ConfigError: its name, or one of theirs, is taken.
    """
    for name in (model.architecture, *presets):
        if name in (MODELS if name == model.architecture else PRESETS):
            raise ConfigError(f"{name!r} is registered already: choose another name")
    MODELS[model.architecture] = model
    PRESETS.update({name: (model, cfg) for name, cfg in presets.items()})


register(Clip4Str, CLIP4STR_PRESETS)
register(Parseq, PARSEQ_PRESETS)
register(Crnn, CRNN_PRESETS)
register(Trba, TRBA_PRESETS)
register(Abinet, ABINET_PRESETS)
register(Vitstr, VITSTR_PRESETS)
register(Svtr, SVTR_PRESETS)


def preset(name: str) -> tuple[type[Recognizer], RecognizerConfig]:
    """The recognizer class and the configuration of the preset called `name`: `cls(cfg)` builds it.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"no model is called {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def model_class(architecture: str) -> type[Model]:
    """The class of a model.

    Raises:
        ConfigError: there is no such architecture.
    """
    if architecture not in MODELS:
        raise ConfigError(f"no recognizer is called {architecture!r}: choose one of {', '.join(sorted(MODELS))}")
    return MODELS[architecture]
