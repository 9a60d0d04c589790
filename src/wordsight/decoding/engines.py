"""Recognizers of every decoding kind over an engine that runs their graphs by name: ONNX Runtime or torch."""

from typing import Any, Protocol

from wordsight.decoding.constrained import read_constrained
from wordsight.decoding.context import InContext, WithContext
from wordsight.decoding.ctc import Frames, read_ctc
from wordsight.decoding.graphs import Floats, Ids, Rows, Spec
from wordsight.decoding.iterative import CORRECTIONS, read_iterative
from wordsight.decoding.parallel import read_parallel
from wordsight.decoding.psm import Mode, Passes, PsmSpec, check_mode, read_psm
from wordsight.decoding.readings import Reading
from wordsight.decoding.recurrent import read_recurrent
from wordsight.errors import ConfigError
from wordsight.text import Constraint, Dictionary


class Engine(Protocol):
    """What runs graphs. Arrays are of its own kind and stay on its device."""

    def run(self, name: str, *inputs: Any, context: Any = None) -> tuple[Any, ...]:
        """The outputs of graph `name`. `context`, the scenes of the rows, is ignored by graphs that take none."""
        ...

    def numpy(self, array: Any) -> Floats:
        """An array in NumPy."""
        ...


class FrameLooks:
    """`CtcGraphs`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def image(self, images: Floats, context: Any = None) -> Frames:
        """Run `image`."""
        return Frames(*map(self.engine.numpy, self.engine.run("image", images, context=context)))

    def memory(self, columns: Floats) -> Rows:
        """Run `memory`."""
        (kv,) = self.engine.run("memory", columns)
        return kv

    def visual(self, tokens: Ids, kv: Rows, mask: Floats) -> Floats:
        """Run `visual`."""
        (logits,) = self.engine.run("visual", tokens, kv, mask)
        return self.engine.numpy(logits)


class Looks:
    """`ParallelGraphs`: one look gives the logits."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def image(self, images: Floats, context: Any = None) -> Floats:
        """Run `image`."""
        (logits,) = self.engine.run("image", images, context=context)
        return self.engine.numpy(logits)


class Steps:
    """`RecurrentGraphs`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def image(self, images: Floats, context: Any = None) -> tuple[Rows, Rows]:
        """Run `image`."""
        memory, state = self.engine.run("image", images, context=context)
        return WithContext.of(memory, context), state

    def step(self, tokens: Ids, state: Rows, memory: Rows) -> tuple[Floats, Rows]:
        """Run `step`."""
        features, context = WithContext.parts(memory)
        logits, state = self.engine.run("step", tokens, state, features, context=context)
        return self.engine.numpy(logits), state


class Corrections:
    """`IterativeGraphs`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def image(self, images: Floats, context: Any = None) -> tuple[Floats, Rows]:
        """Run `image`."""
        logits, features = self.engine.run("image", images, context=context)
        return self.engine.numpy(logits), WithContext.of(features, context)

    def correct(self, logits: Floats, features: Rows) -> Floats:
        """Run `correct`."""
        plain, context = WithContext.parts(features)
        (logits,) = self.engine.run("correct", logits, plain, context=context)
        return self.engine.numpy(logits)


GRAPHS: dict[str, Any] = {"ctc": FrameLooks, "parallel": Looks, "recurrent": Steps, "iterative": Corrections}
"""What turns an engine into the graphs of a kind; those of `psm` are more than names: `OnnxGraphs`, `TorchGraphs`."""


def check_decoding(decoding: str, mode: str, refine_iters: int, constrained: bool = False) -> None:
    """Refuse what a recognizer of this kind cannot be told to do.

    Raises:
        ConfigError: saying what it can.
    """
    check_mode(mode, refine_iters)
    if decoding not in ("psm", "ctc") and mode not in ("adaptive", "full"):
        raise ConfigError(f"mode {mode!r} is for PARSeq and CLIP4STR, this model decodes by {decoding!r}: choose full")
    if decoding not in ("psm", "ctc") and constrained:
        raise ConfigError(
            f"constraints are for models that decode by 'psm' or 'ctc', this one does by {decoding!r}: leave them out"
        )


def read_images(
    decoding: str,
    graphs: Any,
    images: Floats,
    spec: PsmSpec | Spec,
    *,
    context: Any = None,
    mode: Mode = "full",
    refine_iters: int | None = None,
    temperature: float = 1.0,
    constraint: Constraint | None = None,
    dictionary: Dictionary | None = None,
) -> tuple[list[Reading], Passes | None]:
    """Reads images (B, 3, H, W) by a recognizer of any kind; what a row reads does not depend on the other rows.

    Args:
        decoding: The kind.
        graphs: Of that kind: `PsmGraphs`, or one of `GRAPHS`; its `image` takes a context.
        images: Prepared crops.
        spec: The rest of the recognizer, a `PsmSpec` for `psm`.
        context: The scenes of the crops, of the engine's own kind.
        mode: Of `psm`, see `read_psm`.
        refine_iters: Refinements of `psm` (None: 1), corrections of `iterative` (None: as in the paper).
        temperature: Divides the logits before the softmax of the probabilities.
        constraint: What may be read; of `psm` and `ctc`, see `read_constrained` and `read_ctc`.
        dictionary: What is likelier to be read; of these too, without a constraint, see `corrected`.

    Returns:
        The readings; and how often each graph of a `psm` recognizer ran, where it read freely.
    """
    if context is not None:
        graphs = InContext(graphs, context)
    if decoding == "psm":
        assert isinstance(spec, PsmSpec)  # noqa: S101  (for the type checker)
        iters = 1 if refine_iters is None else refine_iters
        if constraint is not None:
            found = read_constrained(
                graphs, images, spec, constraint, mode=mode, refine_iters=iters, temperature=temperature
            )
            return found, None
        return read_psm(
            graphs, images, spec, mode=mode, refine_iters=iters, temperature=temperature, dictionary=dictionary
        )
    if decoding == "iterative":
        count = CORRECTIONS if refine_iters is None else refine_iters
        return read_iterative(graphs, images, spec, corrections=count, temperature=temperature), None
    if decoding == "ctc":
        found = read_ctc(graphs, images, spec, temperature=temperature, constraint=constraint, dictionary=dictionary)
        return found, None
    read: Any = {"parallel": read_parallel, "recurrent": read_recurrent}[decoding]
    return read(graphs, images, spec, temperature=temperature), None
