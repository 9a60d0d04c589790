"""A scene encoder of the same architecture with random weights: the control that a pre-trained one has to beat."""

from copy import deepcopy

import torch

from wordsight.errors import ConfigError
from wordsight.models.clipter.backbones import Encoder, HubEncoder, MapEncoder, TowerEncoder
from wordsight.models.clipter.encoders import random_encoder
from wordsight.models.clipter.scene import SceneEncoder


def untrained(scenes: SceneEncoder, seed: int = 0) -> SceneEncoder:
    """An encoder like `scenes` with random weights, the same for the same seed; pooling and resolution as there.

    Raises:
        ConfigError: it has no weights to be random.
    """
    given = scenes.encoder
    new: Encoder
    if isinstance(given, TowerEncoder):
        new = random_encoder(given.tower.cfg, seed)
        new.preprocessing = given.preprocessing
    elif isinstance(given, HubEncoder):
        build = type(given.vision)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            new = HubEncoder(build(given.vision.config), given.preprocessing, f"random:{build.__name__}:{seed}")
    elif isinstance(given, MapEncoder):
        network = deepcopy(given.network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for layer in network.modules():
                if callable(begin := getattr(layer, "reset_parameters", None)):
                    begin()
        new = MapEncoder(network, given.preprocessing, f"random:{seed}")
    else:
        raise ConfigError(f"{given.identity!r} has no weights: the control random-encoder needs an encoder that has")
    return SceneEncoder(new.eval(), scenes.kernel, scenes.keep_cls, scenes.centre_crop)
