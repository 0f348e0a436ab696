"""An exported model asked in its own runtime, in a fresh process without adapt, and compared with the trained one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy

from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import DefectError
from adapt_core.execution.sizes import size_of
from adapt_core.result_records import RuntimeOutcome
from adapt_core.runtime.plain_text import in_one_line

if TYPE_CHECKING:
    import torch
    from torch import nn

Arrays: TypeAlias = Mapping[str, "numpy.typing.NDArray[Any]"]

LATENCY = "latency_ms"
_ROWS = 8
"""Rows of a batch that are compared: a large model on the CPU takes long for more."""
_CALLS, _SECONDS = 20, 2.0
"""Calls whose median is the latency, and the time after which no further one is made."""
_LONGEST = 3600.0
"""Seconds after which a runtime that does not answer is given up."""
START = """\
import runpy, sys
sys.modules.update(dict.fromkeys(filter(None, sys.argv[1].split(","))))
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Run a program in a process that cannot import the packages that the first argument names."""


@attrs.frozen
class Reference:
    """What the trained model computes of a batch, in float32.

    Attributes:
        inputs: arrays by name.
        outputs: arrays by name.
        latency_ms: median time of the first row alone, in milliseconds.
        threads: that torch used.
    """

    inputs: Arrays
    outputs: Arrays
    latency_ms: float
    threads: int

    @classmethod
    def of(cls, model: nn.Module, inputs: Mapping[str, Any]) -> Reference:
        """Compute a batch with a plain model on the CPU; half-precision weights are widened meanwhile."""
        import torch

        from adapt_core.nn.modes import evaluation_mode
        from adapt_core.nn.precision import Widened

        tensors = {name: _plain(value) for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        rows = len(next(iter(tensors.values())))
        first, few = ({n: t[:count] if len(t) == rows else t for n, t in tensors.items()} for count in (1, _ROWS))
        widened = Widened(model)
        try:
            with torch.no_grad(), evaluation_mode(model):
                found = dict(named_outputs(model(**few)))
                model(**first)
                latency = median_ms(lambda: model(**first))
        finally:
            widened.narrow(model)
        arrays = {name: tensor.numpy() for name, tensor in few.items()}
        outputs = {name: tensor.float().numpy() for name, tensor in found.items()}
        return cls(arrays, outputs, latency, torch.get_num_threads())


def named_outputs(outputs: object, name: str = "logits") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of floats among a model's outputs by name; a model that returns one tensor calls it logits."""
    import torch

    if isinstance(outputs, torch.Tensor):
        if outputs.is_floating_point() and outputs.numel():
            yield name, outputs.detach()
    elif isinstance(outputs, Mapping):
        for key, value in outputs.items():
            yield from named_outputs(value, str(key))
    elif isinstance(outputs, (list, tuple)):
        for number, value in enumerate(outputs):
            yield from named_outputs(value, f"{name}.{number}")


def median_ms(call: Any) -> float:
    """Return the median time of a call in milliseconds: of up to 20, within two seconds."""
    times: list[float] = []
    while len(times) < _CALLS and sum(times) < _SECONDS:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return 1000 * median(times)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    return tensor.float() if tensor.is_floating_point() else tensor


def ask(check: RuntimeCheck, source: ExportSource, folder: Path, reference: Reference) -> RuntimeOutcome:
    """Ask an export in a fresh process and compare its outputs with the trained model's.

    Args:
        check: how it is asked.
        source: what was exported.
        folder: the export.
        reference: what the trained model computes.

    Raises:
        DefectError: the runtime does not load it, or its outputs drift by more than is allowed; the message says where.
    """
    found = _answers(check, folder, reference)
    theirs = float(found.pop(LATENCY)) if LATENCY in found else None
    drifts = _drifts(found, reference)
    for drift in sorted(drifts, key=lambda drift: -drift.difference):
        _require_close(drift, check, folder)
    drift = max(drifts, key=lambda drift: drift.difference)
    return RuntimeOutcome(
        name=check.name,
        runtime=check.runtime,
        inputs=source.inputs_from,
        rows=len(next(iter(reference.inputs.values()))),
        max_difference=drift.difference,
        relative_difference=drift.relative,
        tolerance=check.tolerance,
        relative_tolerance=None if check.tolerance is None else check.relative_tolerance,
        same_argmax=_same_argmax(found, reference),
        worst={"output": drift.output, "at": drift.at, "expected": drift.expected, "found": drift.found},
        bytes=size_of(folder / check.file),
        latency_ms=theirs,
        torch_latency_ms=reference.latency_ms,
    )


@attrs.frozen
class _Drift:
    """The largest difference of an output, alone and as a share of its largest value: its place, and the two values.

    The place has the row first. The difference is infinite where one of the values is no finite number, and the other
    another one.
    """

    difference: float
    relative: float
    output: str
    at: list[int]
    expected: float
    found: float

    def __str__(self) -> str:
        place = ", ".join(f"{kind} {number}" for kind, number in zip(_AXES, self.at, strict=False))
        return (
            f"{self.output} differs by {self.difference:.3g} at {place or 'its only value'} "
            f"({self.found:.6g}, trained {self.expected:.6g})"
        )


_AXES = ("row", "position", "value", "value", "value")


def hidden_packages(checks: Iterable[RuntimeCheck]) -> set[str]:
    """Return the packages that the process of these checks cannot import: those of adapt, and what they name."""
    own = {name.partition(".")[0] for name in sys.modules if name.startswith("adapt_")}
    return own.union(*(check.without for check in checks))


def _answers(check: RuntimeCheck, folder: Path, reference: Reference) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="adapt-export-") as place:
        given, answered = Path(place) / "inputs.npz", Path(place) / "outputs.npz"
        numpy.savez(given, allow_pickle=False, **reference.inputs)
        arguments = (str(folder), str(given), str(answered), str(reference.threads), *check.arguments)
        command = [
            sys.executable,
            "-c",
            START,
            ",".join(sorted(hidden_packages([check]))),
            str(check.program),
            *arguments,
        ]
        name = check.name or folder.name
        try:
            done = subprocess.run(command, capture_output=True, text=True, cwd=place, timeout=_LONGEST, check=False)
        except subprocess.TimeoutExpired:
            raise DefectError(
                f"{check.runtime} did not answer within {_LONGEST:g} s when it was given {name}."
            ) from None
        if done.returncode or not answered.is_file():
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise DefectError(f"{check.runtime} cannot use {name}: {in_one_line(lines[-1])}")
        with numpy.load(answered, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays.files}
    _require_outputs(check, found, reference)
    return found


def _require_outputs(check: RuntimeCheck, found: Arrays, reference: Reference) -> None:
    """Raise DefectError where a runtime gave no outputs, unknown ones, or some of another shape."""
    named = [name for name in found if name != LATENCY]
    for name in named:
        wanted = reference.outputs.get(name.partition("@")[0])
        if wanted is None:
            known = ", ".join(reference.outputs) or "none"
            raise DefectError(f"{check.runtime} gave an output {name!r}; the trained model has {known}.")
        if wanted.shape != found[name].shape:
            raise DefectError(
                f"{check.runtime} gave {name!r} the shape {found[name].shape}; the trained model's is {wanted.shape}."
            )
    if not named:
        raise DefectError(f"{check.runtime} gave no outputs.")


def _counting(name: str, shape: tuple[int, ...], inputs: Arrays) -> numpy.typing.NDArray[numpy.bool_] | None:
    """Return which positions of an output are no padding, whose values mean nothing; None where all count."""
    decoder = "decoder_input_ids" in inputs and not name.startswith("encoder")
    mask = inputs.get("decoder_attention_mask" if decoder else "attention_mask")
    if mask is None or shape[:2] != mask.shape:
        return None
    return mask.astype(bool)


def _drifts(found: Arrays, reference: Reference) -> list[_Drift]:
    """Return the largest difference of each output. Each is a share of its own values: outputs differ in scale."""
    drifts = []
    for name, theirs in found.items():
        ours = reference.outputs[name.partition("@")[0]]
        theirs = theirs.astype(numpy.float32)
        with numpy.errstate(invalid="ignore"):
            differences = numpy.abs(ours - theirs)
        differences[ours == theirs] = 0
        differences[numpy.isnan(ours) & numpy.isnan(theirs)] = 0
        differences[numpy.isnan(differences)] = numpy.inf
        sizes = numpy.where(numpy.isfinite(ours), numpy.abs(ours), 0)
        counting = _counting(name, ours.shape, reference.inputs)
        if counting is not None:
            differences[~counting] = sizes[~counting] = 0
        at = numpy.unravel_index(int(differences.argmax()), differences.shape)
        difference, largest = float(differences[at]), float(sizes.max())
        relative = difference / largest if largest else difference
        place = [int(number) for number in at]
        drifts.append(_Drift(difference, relative, name, place, float(ours[at]), float(theirs[at])))
    return drifts


def _require_close(drift: _Drift, check: RuntimeCheck, folder: Path) -> None:
    """Raise DefectError where an output differs by more than is allowed; of no promise, where it is no number."""
    named = f"{check.name or folder.name} in {check.runtime} does not compute what the trained model does: {drift}"
    if not numpy.isfinite(drift.difference):
        raise DefectError(f"{named}.")
    if check.tolerance is None or drift.difference <= check.tolerance or drift.relative <= check.relative_tolerance:
        return
    allowed = f"differences of {check.tolerance:g}, or {check.relative_tolerance:g} of the largest output, are allowed"
    raise DefectError(f"{named} ({allowed}). {check.remedy}".rstrip())


def _same_argmax(found: Arrays, reference: Reference) -> float | None:
    """Return the share of rows (positions) whose largest logit is the same one; None where there is nothing to choose.

    Of states, whose largest value is no choice, nothing is told.
    """
    shares = []
    for name, theirs in found.items():
        ours = reference.outputs[name.partition("@")[0]]
        if "logits" not in name or ours.ndim < 2 or ours.shape[-1] < 2:
            continue
        same = ours.argmax(-1) == theirs.argmax(-1)
        counting = _counting(name, ours.shape, reference.inputs)
        chosen = same[counting] if counting is not None and counting.shape == same.shape else same
        shares.append(float(chosen.mean()))
    return min(shares) if shares else None
