"""ONNX Runtime sessions: which device they run on, and that a graph is what its pack says."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from wordsight.decoding import Graph
from wordsight.decoding.signature import Shape
from wordsight.errors import ConfigError, DeviceError, ModelError
from wordsight.runtime.pack import Pack
from wordsight.runtime.signatures import describe

_log = logging.getLogger(__name__)

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_MOST_THREADS = 1024
_SPINS_BRIEFLY = tuple(map(int, ort.__version__.split(".")[:2])) >= (1, 26)  # before, one could not say for how long
_PACKAGES = {"cuda": "onnxruntime-gpu", "openvino": "onnxruntime-openvino", "coreml": "onnxruntime on macOS"}


def processors() -> int:
    """Those that this process may use, which in a container are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_provider(device: str, start: Callable[[str], object]) -> str:
    """The execution provider for `device`; "auto" calls `start` with CUDA's: it may be listed and yet not start.

    Raises:
        DeviceError: the device is not available.
    """
    if device != "auto" and device not in PROVIDERS:
        raise DeviceError(f"there is no device {device!r}: choose auto, {', '.join(PROVIDERS)}")
    available = ort.get_available_providers()
    if device == "auto":
        if PROVIDERS["cuda"] in available:
            try:
                start(PROVIDERS["cuda"])
            except DeviceError as error:
                _log.warning("%s; reading on the CPU", error)
            else:
                return PROVIDERS["cuda"]
        return PROVIDERS["cpu"]
    if PROVIDERS[device] not in available:
        names = ", ".join(name for name, provider in PROVIDERS.items() if provider in available)
        raise DeviceError(
            f"device {device!r} is not in this ONNX Runtime (it has: {names}): install {_PACKAGES.get(device, device)}"
        )
    return PROVIDERS[device]


def open_session(pack: Pack, name: str, provider: str, threads: int) -> ort.InferenceSession:
    """A session of the pack's graph `name`.

    Raises:
        DeviceError: the provider does not start.
        ModelError: the graph cannot be loaded or is not what the pack says.
    """
    path = pack.folder / pack.graphs[name].file
    session = start_session(path, provider, session_options(threads), f"model pack {pack.folder}", "export it again")
    _check(pack, pack.graphs[name], session)
    return session


def session_options(threads: int) -> ort.SessionOptions:
    """What all our sessions have in common; 0 threads: as many as ONNX Runtime likes.

    Raises:
        ConfigError: there are more threads than any machine has use for.
    """
    if threads > _MOST_THREADS:
        raise ConfigError(f"threads must be at most {_MOST_THREADS:,}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    # Threads that wait for more to do spin for a moment and then sleep. Falling asleep and waking up between two
    # operators cost 0.4 of clip4str-tiny's time at batch 1 on two cores; spinning for as long as ONNX Runtime does by
    # itself, milliseconds, doubled it whenever another program, or another of our sessions, wanted the processor.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if _SPINS_BRIEFLY else "0")
    options.add_session_config_entry("session.intra_op.spin_duration_us", "20")
    # Every batch size and word length is another shape; plans for each would be kept for good.
    options.enable_mem_pattern = False
    return options


def start_session(path: Path, provider: str, options: ort.SessionOptions, what: str, cure: str) -> ort.InferenceSession:
    """A session of a graph's file, on this provider and no other. `what` and `cure` are for people.

    Raises:
        DeviceError: the provider does not start.
        ModelError: the graph cannot be loaded.
    """
    try:
        # Its fallback prints to standard output, and tries the CPU once more
        session = ort.InferenceSession(path, options, providers=[provider], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        reason = " ".join(str(error).split())[:200]
        if provider != PROVIDERS["cpu"]:
            raise DeviceError(f"{provider} did not start ({reason}): check its drivers, or use cpu") from None
        raise ModelError(f"{what}: {path.name} cannot be loaded ({reason}): {cure}") from None
    if session.get_providers()[0] != provider:
        used = session.get_providers()[0]
        raise DeviceError(f"{provider} did not start, ONNX Runtime would use {used}: check its drivers, or use cpu")
    return session


def run_session(
    session: ort.InferenceSession, inputs: Mapping[str, Any], what: str, cure: str
) -> Sequence[npt.NDArray[np.float32]]:
    """What a graph gives for these inputs. `what` and `cure` are for people.

    Raises:
        ModelError: the graph cannot compute this, or what comes out are no numbers.
    """
    try:
        outputs: Sequence[npt.NDArray[np.float32]] = session.run(None, dict(inputs))
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(f"{what} failed ({reason}): {cure}") from None
    if any(out.size and np.isnan(out.min()) for out in outputs):  # one NaN makes a minimum NaN
        raise ModelError(f"{what} outputs NaN: {cure}")
    return outputs


def _check(pack: Pack, graph: Graph, session: ort.InferenceSession) -> None:
    """The loaded graph has the names and shapes that the pack states."""
    sides = (("inputs", graph.inputs, session.get_inputs()), ("outputs", graph.outputs, session.get_outputs()))
    for side, stated, nodes in sides:
        found: dict[str, Shape] = {node.name: tuple(node.shape) for node in nodes}
        if not _alike(stated, found):
            raise ModelError(
                f"model pack {pack.folder}: {graph.file} has {side} {describe(found)}, "
                f"the pack states {describe(stated)}: export it again"
            )


def _alike(stated: Mapping[str, Shape], found: Mapping[str, Shape]) -> bool:
    """Same names in the same order, same sizes; the name of a size that varies does not matter."""

    def fixed(shape: Shape) -> list[int | None]:
        return [d if isinstance(d, int) else None for d in shape]

    return list(stated) == list(found) and all(fixed(stated[name]) == fixed(found[name]) for name in stated)
