"""The cells of the matrix, and how each gets its outcome."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from benchmarks.small_jobs import JOBS, SmallJob

METHODS = ("full", "last_layer", "LoRA", "DoRA", "SSF")
BASES: dict[str, dict[str, Any]] = {"float32": {}, "4 bit": {"load_in_4bit": True}, "8 bit": {"load_in_8bit": True}}
LAUNCHERS: dict[str, dict[str, Any]] = {
    "local": {},
    "ddp": {"DDP": True, "num_processes": 2, "use_cpu": True},
    "fsdp": {"FSDP": True, "num_processes": 2, "use_cpu": True},
}
FAMILIES = ("text_generation", "text_classification", "summarization", "image_classification", "object_detection")
"""One job of each family of models: under ddp and fsdp, one method of each family runs on these."""
TOGETHER = {"float32": ("last_layer", "LoRA", "SSF"), "4 bit": ("LoRA",), "8 bit": ()}
"""Base -> the methods that run on them: the base's last layer, an adapter beside layers, one after them."""

State = Literal["ran", "refused", "covered", "failed", "not run"]


@attrs.frozen(kw_only=True)
class Cell:
    """One combination."""

    job: str
    method: str
    base: str
    launcher: str

    @property
    def name(self) -> str:
        """Unique name: the key in matrix/matrix.json and the name of the run folder."""
        return f"{self.job}, {self.method}, {self.base}, {self.launcher}"

    def changes(self) -> dict[str, Any]:
        """Return the keys that turn the job into this cell."""
        rate = {"LR": 1e-2} if self.method == "SSF" else {}
        # Small models have layers of a few channels only: a rank of 8 would be larger than they are.
        rank = {"r": 4} if self.method in ("LoRA", "DoRA") else {}
        # FSDP shares out packed weights only in a type that it casts to nothing else.
        packed = {"bnb_4bit_quant_storage": "float32"} if (self.launcher, self.base) == ("fsdp", "4 bit") else {}
        kind = {**BASES[self.base], **LAUNCHERS[self.launcher], **packed}
        return {"method": self.method, "INTERVAL": "no", **kind, **rate, **rank}

    def covered_by(self) -> str | None:
        """Return the cells that cover this one if it is only checked; None if it runs."""
        if self.launcher == "local" or (self.base == "float32" and self.method == "full"):
            return None
        if self.job in FAMILIES and self.method in TOGETHER[self.base]:
            return None
        alone = f"{self.job}, {self.method}, {self.base}, local"
        together = f"{self.job}, full, float32, {self.launcher}"
        return f"the parts run in: {alone}; {together}"


@attrs.frozen(kw_only=True)
class Settled:
    """The outcome of a cell.

    Attributes:
        state: "ran" ends with a reload in a fresh process; "failed" is a defect.
        text: what the page says.
        commit: the repository's at that time.
        seconds: what it took.
    """

    state: State
    text: str
    commit: str
    seconds: float = 0.0


def cells_of(job: SmallJob, launcher: str) -> list[Cell]:
    """Return a job's cells under one launcher."""
    return [Cell(job=job.name, method=method, base=base, launcher=launcher) for base in BASES for method in METHODS]


def all_cells() -> list[Cell]:
    """Return every cell, in the page's order."""
    return [cell for job in JOBS for launcher in LAUNCHERS for cell in cells_of(job, launcher)]
