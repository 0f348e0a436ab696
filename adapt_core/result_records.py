"""The records in a result: what each part of a run leaves there, as in `result.json`."""

from __future__ import annotations

from typing import Any, NotRequired, Required, TypedDict


class TrainingVerdict(TypedDict, total=False):
    """The verdict of a training check, as in `result.json`. Counts are absent where nothing was trained.

    Attributes:
        verdict: "learned", "not trained", or "not decided: " and a reason.
        steps: effective optimizer steps.
        trained_tensors: tensors that should train; moved_tensors: those of them that changed; still_tensors: names of
            those that did not learn.
        frozen_tensors: frozen tensors; frozen_changed: those of them that changed, which is always 0.
    """

    verdict: Required[str]
    steps: Required[int]
    trained_tensors: int
    moved_tensors: int
    still_tensors: list[str]
    frozen_tensors: int
    frozen_changed: int


class MergeOutcome(TypedDict):
    """The outcome of a merge check, as `result.json` and `adapt export --json` report it.

    Attributes:
        max_difference: the largest difference of any output.
        relative_difference: the same as a share of the largest output.
        tolerance: the largest relative difference that is allowed.
        inputs: the source of the batch: "validation", "training" or "random".
        kept: the share of what the adapter changed that the merged model keeps (1 is all of it; see
            `adapt_core.execution.merge`); null on a quantized base, which is merged in float32, and where the adapter
            changed nothing. Absent in results of earlier versions.
    """

    max_difference: float
    relative_difference: float
    tolerance: float
    inputs: str
    kept: NotRequired[float | None]


class TriedCheckpoint(TypedDict):
    """A checkpoint that KEEP: soup looked at.

    Attributes:
        step: at which it was written.
        alone: its deciding metric on the validation split; together: that of the average with it.
        taken: whether it is in the average.
    """

    step: int
    alone: float
    together: float
    taken: bool


class SoupRecord(TypedDict):
    """What KEEP: soup averaged, as in `result.json` (see `adapt_core.nn.soup`).

    Attributes:
        metric: that decided; better: "higher" or "lower".
        steps: of the checkpoints in the average, the best first.
        value: the metric of the average, on the validation split.
        tried: each checkpoint, from the best to the worst.
        batch_norms: how many batch norms had their statistics estimated again.
    """

    metric: str
    better: str
    steps: list[int]
    value: float
    tried: list[TriedCheckpoint]
    batch_norms: int


class RuntimeOutcome(TypedDict):
    """What came of asking an exported model in its own runtime (see `adapt_core.execution.runtime_check`).

    Attributes:
        name: what was asked ("model.onnx"); empty where an export has one model.
        runtime: with its version.
        inputs: the source of the batch: "validation", "training" or "random"; rows: how many of its rows.
        max_difference: the largest difference of any output from the trained model's; relative_difference: the same as
            a share of the largest output.
        tolerance, relative_tolerance: what is allowed; one of the two must hold. null where nothing is promised.
        same_argmax: the share of rows (positions) whose largest value is the same one; null where there is no choice.
        worst: where the largest difference is: output, at (row first), expected, found.
        bytes: of the model that was asked.
        latency_ms, torch_latency_ms: median time of one row in the runtime and in torch, with as many threads.
    """

    name: str
    runtime: str
    inputs: str
    rows: int
    max_difference: float
    relative_difference: float
    tolerance: float | None
    relative_tolerance: float | None
    same_argmax: float | None
    worst: dict[str, Any]
    bytes: int
    latency_ms: float | None
    torch_latency_ms: float


class ExportRecord(TypedDict):
    """An export, as in `result.json`.

    Attributes:
        folder: in the run folder; null where the export failed.
        failed: the reason; null where it did not.
        bytes: of the whole folder; seconds: that writing it took.
        checks: how it was asked, and what came of it; empty where there was nothing to ask.
    """

    folder: str | None
    failed: str | None
    bytes: int
    seconds: float
    checks: list[RuntimeOutcome]


class FindingRecord(TypedDict):
    """A finding of a check of the data; see `adapt_core.contracts.Finding`."""

    message: str
    warns: bool
    figures: dict[str, float]
    to_beat: dict[str, float]
    rows: list[dict[str, Any]]


class CheckRecord(TypedDict):
    """What became of one check of the data; `left_out` says why it was not made, and is null where it was."""

    summary: str
    seconds: float
    left_out: str | None
    findings: list[FindingRecord]


class VerdictRecord(TypedDict, total=False):
    """The verdict on the data before training, as in `result.json`; empty where nothing was checked.

    Attributes:
        seconds: wall time of all checks.
        checks: by name, in the order in which they were made.
    """

    seconds: float
    checks: dict[str, CheckRecord]
