"""Choices that several verbs offer."""

from enum import StrEnum


class Device(StrEnum):
    """What the recognizer runs on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    coreml = "coreml"
    openvino = "openvino"


class Mode(StrEnum):
    """How a recognizer decodes."""

    adaptive = "adaptive"
    full = "full"
    visual = "visual"
    parallel = "parallel"
