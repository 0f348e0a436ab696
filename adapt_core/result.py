"""The result of a run, as in `result.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from adapt_core.evaluation import Statistic
from adapt_core.result_records import ExportRecord, MergeOutcome, SoupRecord, TrainingVerdict, VerdictRecord

_EARLIER_KEYS = {"learning": "training_check"}


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    """Return texts as a tuple: JSON reads back lists, and results are compared."""
    return tuple(values)


def _lines(lines: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    return tuple(lines)


@attrs.frozen(kw_only=True)
class RunResult:
    """The outcome of a run.

    Attributes:
        status: "finished".
        task, method, quantization, launcher: what ran (quantization is None for a float base).
        total_parameters, trainable_parameters: of the attached model.
        metrics: {"before": {...} | None, "after": {...} | None, "test": {...} | None}; None for what was not measured.
        intervals: moment -> metric -> [low, high], its 95 % interval (see `adapt_core.uncertainty.intervals`): after,
            test, and before where nothing was trained, and "also NAME" of each further data set; without those that
            have none.
        train_seconds: wall time of the training phase, its evaluations included.
        samples_per_second: training examples a second, over all processes.
        peak_memory_bytes: of the main process, on its device.
        steps: optimizer steps done.
        planned_steps: those that EPOCHS and MAX_STEPS say; BUDGET may have cut them.
        artifacts: names to paths inside the run folder.
        artifact_bytes: names to sizes on disk, of the adapter and the model.
        folds, seeds: of FOLDS or SEEDS, moment -> metric -> {mean, std, low, high, values}; `metrics` then has the
            means.
        warnings: what a reader must know before the metrics: "validation loss before training is not finite (nan)".
        merge: how far the merged model's outputs are from the unmerged one's (see
            `adapt_core.verification.merge`), or None where no adapter was merged.
        soup: of KEEP: soup, what was averaged (see `SoupRecord`); None without.
        training_check: that what should train moved and the rest did not (see `adapt_core.verification.training`).
        data: what was found of the data (rows, dropped rows, truncated share).
        verdict: what checks of the data found before training (see `VerdictRecord`).
        decisions: what predictions decide by, tuned on the validation split: a name ("calibration", "abstain",
            "thresholds") -> what was tuned, and with "validation" and "test" how well it does on their rows (see
            `docs/run_folder.md`); empty where nothing was.
        per_class: of the evaluation that the run ends with on the validation split, the table of classes (see
            `ClassTable`), with their confusions; empty where there are none.
        evaluations: of the validation split, in order: {"phase": "before", "eval" or "after", "step", "epoch", each
            metric, "intervals"}, as in `metrics.jsonl`.
        exports: of EXPORT, exporter name -> see `ExportRecord`.
        also: of ALSO_EVALUATE, name of a data set -> {"before": metrics | None, "after": metrics | None}.
        versions: of Python, torch, adapt's distributions and the libraries underneath.
        seed: the seed.
        config_sha256: see `Plan.config_sha256`.
        output_dir: the run folder, absolute.
    """

    status: str
    task: str
    method: str
    quantization: str | None
    launcher: str
    total_parameters: int
    trainable_parameters: int
    metrics: Mapping[str, Mapping[str, float] | None]
    train_seconds: float
    samples_per_second: float
    peak_memory_bytes: int
    steps: int
    artifacts: Mapping[str, str]
    training_check: TrainingVerdict
    data: Mapping[str, Statistic]
    versions: Mapping[str, str]
    seed: int
    config_sha256: str
    output_dir: str
    planned_steps: int = 0
    artifact_bytes: Mapping[str, int] = attrs.field(factory=dict)
    merge: MergeOutcome | None = None
    soup: SoupRecord | None = None
    verdict: VerdictRecord = attrs.field(factory=lambda: VerdictRecord())
    decisions: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    also: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    exports: Mapping[str, ExportRecord] = attrs.field(factory=dict)
    per_class: Mapping[str, Any] = attrs.field(factory=dict)
    evaluations: tuple[Mapping[str, Any], ...] = attrs.field(default=(), converter=_lines)
    folds: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    seeds: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    intervals: Mapping[str, Mapping[str, list[float]]] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    def to_json(self) -> str:
        """Return the text of `result.json`; a number that is not finite is null, which JSON has."""
        return json.dumps(without_nan(attrs.asdict(self)), indent=2, sort_keys=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> RunResult:
        """Return the result that `to_json` wrote, also in an earlier version; keys of later versions are left out.

        Raises:
            ValueError: the text is not a result; the message says why.
        """
        read = json.loads(text)
        if not isinstance(read, dict):
            raise ValueError("it is not a JSON object")
        known = {field.name for field in attrs.fields(cls)}
        stored: dict[str, Any] = {_EARLIER_KEYS.get(str(key), str(key)): value for key, value in read.items()}
        _check(stored, attrs.fields(cls))
        stored["metrics"] = {
            moment: values and {name: math.nan if value is None else value for name, value in values.items()}
            for moment, values in stored["metrics"].items()
        }
        return cls(**{key: value for key, value in stored.items() if key in known})


_KINDS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "str | None": (str, type(None)),
    "int": int,
    "float": (int, float, type(None)),
    "MergeOutcome | None": (dict, type(None)),
    "SoupRecord | None": (dict, type(None)),
    "tuple[str, ...]": list,
    "tuple[Mapping[str, Any], ...]": list,
}
"""Annotation of a field -> what JSON has for it; a mapping is not in the table. null is a number that is not finite."""


def _check(stored: Mapping[str, Any], fields: Iterable[Any]) -> None:
    """Check that a file has what a result has, of the right kinds.

    Raises:
        ValueError: with the key that has not.
    """
    for field in fields:
        if field.name not in stored:
            if field.default is attrs.NOTHING:
                raise ValueError(f"it has no {field.name}")
            continue
        value = stored[field.name]
        if not isinstance(value, _KINDS.get(str(field.type), dict)) or isinstance(value, bool):
            raise ValueError(f"{field.name} is {value!r}")
    for moment, measured in stored["metrics"].items():
        if not isinstance(measured, dict | None):
            raise ValueError(f"metrics of {moment} is {measured!r}")
        for name, value in (measured or {}).items():
            if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
                raise ValueError(f"{name} of {moment} is {value!r}")


def without_nan(value: Any) -> Any:
    """Return JSON-ready data with None for each number that is not finite, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    return [without_nan(item) for item in value] if isinstance(value, (list, tuple)) else value
