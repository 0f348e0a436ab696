"""What a run gives back, and what stands in `result.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from adapt_core.verification.merge import MergeOutcome
    from adapt_core.verification.training import TrainingVerdict

_EARLIER_KEYS = {"learning": "training_check"}


@attrs.frozen(kw_only=True)
class RunResult:
    """The outcome of a run.

    Attributes:
        status: "finished".
        task, method, quantization, launcher: what ran (quantization is None for a float base).
        total_parameters, trainable_parameters: of the attached model.
        metrics: {"before": {...} | None, "after": {...} | None, "test": {...} | None}; None for what was not measured.
        train_seconds: wall time of the training phase, its evaluations included.
        samples_per_second: training examples a second, over all processes.
        peak_memory_bytes: of the main process, on its device.
        steps: optimizer steps done.
        artifacts: names to paths inside the run folder.
        artifact_bytes: names to sizes on disk, of the adapter and the model.
        merge: how far the merged model's outputs are from the unmerged one's (see
            `adapt_core.verification.merge`), or None where no adapter was merged.
        training_check: that what should train moved and the rest did not (see `adapt_core.verification.training`).
        data: what was found of the data (rows, dropped rows, truncated share).
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
    data: Mapping[str, Any]
    versions: Mapping[str, str]
    seed: int
    config_sha256: str
    output_dir: str
    artifact_bytes: Mapping[str, int] = attrs.field(factory=dict)
    merge: MergeOutcome | None = None

    def to_json(self) -> str:
        """The text of `result.json`."""
        return json.dumps(attrs.asdict(self), indent=2, sort_keys=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> RunResult:
        """The result that `to_json` wrote, also in an earlier version; keys of later versions are left out."""
        known = {field.name for field in attrs.fields(cls)}
        stored = {_EARLIER_KEYS.get(key, key): value for key, value in json.loads(text).items()}
        return cls(**{key: value for key, value in stored.items() if key in known})
