"""The run folder: its names, its lock, and whether it may be written to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.result import RunResult
from adapt_core.run_folder.claims import place_beginning, place_text
from adapt_core.run_folder.metric_lines import INTERVALS, MetricLines
from adapt_core.run_folder.names import CHECKPOINTS, EXPORTS, LOG, ROWS

_LOCK = ".adapt-run.lock"
_ROWS = ("BATCH_SIZE", "GRADIENT_ACCUMULATION_STEPS")
"""Their product is what a process learns from in a step."""
RECOMPUTATION = ("GRADIENT_CHECKPOINTING", "KEEP_ATTENTION", "RECOMPUTE_MLP")
"""What is computed again in the backward pass, to the same results."""


@attrs.frozen
class RunFolder:
    """The paths of a run folder (design: "The run folder")."""

    path: Path = attrs.field(converter=Path)

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def log(self) -> Path:
        return self.path / LOG

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def exports(self) -> Path:
        return self.path / EXPORTS

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def rows(self) -> Path:
        return self.path / ROWS

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def card(self) -> Path:
        return self.path / "README.md"

    def prepare(self) -> None:
        """Make the folder and check that it is writable.

        Raises:
            InputError: it cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"OUTPUT_DIR {self.path} cannot be made: {error.strerror or error}. Give another OUTPUT_DIR."
            ) from None
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise InputError(
                f"OUTPUT_DIR {self.path} cannot be written to: permission denied."
                " Make it writable, or give another OUTPUT_DIR."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run at a time, by a file `.adapt-run.lock`, which goes with the run.

        Raises:
            InputError: another run holds it, or the lock cannot be written.
        """
        from filelock import FileLock, Timeout

        # A file of its own, because older versions of filelock (4.2.0 is one) empty the file that they lock.
        file = self.path / _LOCK
        if file.is_symlink() or (file.exists() and (not file.is_file() or file.stat().st_size)):
            raise InputError(f"{file} is not a lock of adapt. Move it away, or give another OUTPUT_DIR.")
        lock = FileLock(file)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise InputError(
                f"OUTPUT_DIR {self.path} is in use by another run. Wait for it, or give another OUTPUT_DIR."
            ) from None
        except OSError as error:
            raise InputError(
                f"OUTPUT_DIR {self.path} cannot be written to: {error.strerror or error}."
                " Make it writable, or give another OUTPUT_DIR."
            ) from None
        try:
            yield
        finally:
            # It stays where it cannot be deleted (a folder that turned read-only, an open file on Windows), and does no
            # harm: what locks is the process that holds it.
            with suppress(OSError):
                file.unlink()
            lock.release()

    def is_locked(self) -> bool:
        """Return whether a run holds the folder, or was killed while it did."""
        return (self.path / _LOCK).exists()

    def finished(self) -> RunResult | None:
        """Return the result of the finished run that the folder holds, or None."""
        try:
            return RunResult.from_json(self.result.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"{self.result} is no result of a run: {reason}. Restore it, or delete it and run again, or give "
                "another OUTPUT_DIR."
            ) from None

    def started(self) -> bool:
        """Return whether the folder holds a run that began to write."""
        return self.config.exists()

    def stored_keys(self) -> dict[str, Any]:
        """Return the resolved keys that `config.yaml` holds."""
        from adapt_core.config.reader import plain, read_file

        keys = {entry.key: plain(entry.value) for entry in read_file(self.config)}
        if "TASK" not in keys or "method" not in keys:
            raise InputError(
                f"{self.config} is not the config of a run: it has no TASK and method. Restore it, or give another "
                "OUTPUT_DIR."
            )
        return keys

    def write_config(self, plan: Plan) -> None:
        """Write `config.yaml`: every resolved key, so that running the file again is the same run."""
        from ruamel.yaml import YAML

        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False
        text = StringIO()
        yaml.dump(plan.keys(), text)
        head = f"# Every parameter of this run, resolved. adapt run {self.config.name}\n"
        place_text(self.path, self.config.name, head + text.getvalue())

    def stored_before(self) -> dict[str, float] | None:
        """Return the "before" metrics that the first run of this folder measured, or None."""
        for line in self.metric_lines():
            if line.get("phase") == "before":
                found = {key: value for key, value in line.items() if key not in ("phase", "step", "epoch", INTERVALS)}
                return {key: math.nan if value is None else value for key, value in found.items()}
        return None

    def metric_lines(self) -> list[dict[str, Any]]:
        """Return the lines of `metrics.jsonl`; a last line that was cut short is left out."""
        return MetricLines(self.metrics).more()[0]

    def rewind_metrics(self, step: int) -> None:
        """Drop the lines after a step, which a resumed run will write again."""
        kept = [line for line in self.metric_lines() if line["step"] <= step and line["phase"] not in ("after", "test")]
        place_beginning(self.path, self.metrics.name, "".join(json.dumps(line) + "\n" for line in kept))


def differing_keys(stored: Mapping[str, Any], plan: Plan) -> list[str]:
    """Return the arithmetic keys that differ between a stored config and a plan, as "KEY: old -> new"."""
    folded = {str(key).casefold(): value for key, value in stored.items()}
    fitted = rows_of_a_step(stored) == plan.training.rows_per_step
    free: tuple[str, ...] = _ROWS if plan.training.fit_batch_size and fitted else ()
    free += RECOMPUTATION if plan.training.fit_recomputation else ()
    return [
        f"{key}: {folded[key.casefold()]!r} -> {value!r}"
        for key, value in plan.arithmetic().items()
        if key.casefold() in folded and folded[key.casefold()] != value and key not in free
    ]


def rows_of_a_step(stored: Mapping[str, Any]) -> int | None:
    """Return the rows that one process of a stored run learns from in a step; None where its config does not say."""
    sizes = [size for key in _ROWS if isinstance(size := stored.get(key), int)]
    return math.prod(sizes) if len(sizes) == len(_ROWS) else None
