"""The adapted model saved: adapter and merged model in the run folder, and other formats of a finished run."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.capabilities import SupportsPlainAdapter
from adapt_core.config.plan import Plan
from adapt_core.contracts import Task, TaskData
from adapt_core.errors import InputError
from adapt_core.execution.components import Components, make_exporter
from adapt_core.execution.exports import reference_of, source_of, write_export
from adapt_core.execution.merge import merge_checked
from adapt_core.execution.model_data import write_model_data
from adapt_core.execution.sizes import size_of
from adapt_core.nn.pickles import weights_only
from adapt_core.report.adapter_card import adapter_card
from adapt_core.run_folder.claims import placed_folder
from adapt_core.run_folder.files import atomic_folder, write_text
from adapt_core.run_folder.inputs import input_paths
from adapt_core.run_folder.names import NAMES, is_run_folder
from adapt_core.run_folder.paths import RunFolder
from adapt_core.verification.merge import MergeCheck

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.execution.finished_run import FinishedRun
    from adapt_core.result_records import ExportRecord, MergeOutcome

log = logging.getLogger(__name__)


@attrs.frozen
class Saved:
    """What a run saved.

    Attributes:
        artifacts: names to paths inside the run folder.
        merge: the outcome of the merge check; None where no adapter was merged.
        load: returns the plain model. It merges the adapter where the run did not, which changes the trained model.
    """

    artifacts: dict[str, str]
    merge: MergeOutcome | None
    load: Callable[[], nn.Module]


def export_run(
    plan: Plan, components: Components, data: TaskData, model: nn.Module, folder: RunFolder, merge_check: MergeCheck
) -> Saved:
    """Write `adapter/` (where the method added one) and `model/`, each complete or not at all.

    MERGE_ADAPTER defaults to true on a float base and to false on a quantized one, where only `adapter/` is written.
    What a method without an adapter trained on a quantized base is saved with the base dequantized.

    Raises:
        DefectError: the merged model does not compute what the trained one does.
    """
    method, quantizer, merge_dtype = components.method, components.quantizer, plan.run.merge_dtype
    artifacts: dict[str, str] = {}
    with placed_folder(folder.path, folder.adapter.name) as temporary:
        has_adapter = method.save_adapter(model, temporary)
        if has_adapter:
            write_model_data(temporary, data)
        if has_adapter and isinstance(components.task, SupportsPlainAdapter):
            components.task.save_beside_adapter(model, temporary)
            lines = components.task.adapter_loading_lines(temporary)
            write_text(temporary / "README.md", adapter_card(plan, temporary, lines))
    if has_adapter:
        artifacts["adapter"] = folder.adapter.name
        log.info("saved %s (%s bytes)", folder.adapter, f"{size_of(folder.adapter):,}")
    merge = quantizer is None if plan.run.merge_adapter is None else plan.run.merge_adapter
    if has_adapter and not merge:
        log.info("only the adapter is saved; merge it later with: adapt export %s --save-method M -o DIR", folder.path)
        merge_check.stop()
        return Saved(artifacts, None, lambda: merge_checked(model, method, quantizer, merge_check, merge_dtype)[0])
    merge_check.stop()
    outcome = None
    try:
        if has_adapter:
            plain, outcome = merge_checked(model, method, quantizer, merge_check, merge_dtype)
        else:
            plain = method.merge(model, quantizer)
    except InputError as reason:
        if plan.run.merge_adapter or not has_adapter:
            raise
        log.warning("only the adapter is saved: %s", reason)
        return Saved(artifacts, None, lambda: method.merge(model, quantizer))
    with placed_folder(folder.path, folder.model.name) as temporary:
        components.task.save_model(plain, temporary, plan.run.save_method)
    _log_saved(folder.model, plan.run.save_method)
    artifacts["model"] = folder.model.name
    return Saved(artifacts, outcome, lambda: plain)


def save_model(task: Task, model: nn.Module, folder: Path, save_method: str) -> None:
    """Write a plain model folder, complete or not at all."""
    with atomic_folder(folder) as temporary:
        task.save_model(model, temporary, save_method)
    _log_saved(folder, save_method)


def _log_saved(folder: Path, save_method: str) -> None:
    log.info("saved %s (%s, %s bytes)", folder, save_method, f"{size_of(folder):,}")


@attrs.frozen
class Exported:
    """A finished run's model, written in another form.

    Attributes:
        folder: where it is.
        merged: whether an adapter was merged for it; a run that merged its adapter itself has checked the merge.
        merge: the outcome of the merge check; None where nothing was merged, or there was no batch to check it on.
        record: of an exporter: what came of asking it in its own runtime; None for a SAVE_METHOD.
    """

    folder: Path
    merged: bool
    merge: MergeOutcome | None
    record: ExportRecord | None = None


@weights_only()
def export_finished(
    run_dir: str | Path, save_method: str, output: str | Path, *, trust: bool, merge_dtype: str | None = None
) -> Exported:
    """Write a finished run's model by a SAVE_METHOD; see `adapt_core.export`."""
    from adapt_core.config.core_params.run import SAVE_METHODS
    from adapt_core.execution.finished_run import FinishedRun

    if save_method not in SAVE_METHODS:
        raise InputError(f"--save-method must be one of {', '.join(SAVE_METHODS)}; not {save_method!r}.")
    folder = _output_folder(output, merge_dtype)
    finished = FinishedRun.open(run_dir, trust=trust)
    opened = _Opened(finished, folder, merge_dtype)
    model = opened.model()
    with _writing(folder):
        save_model(finished.task, model, folder, save_method)
    return Exported(folder, opened.merges, opened.outcome)


@weights_only()
def export_to(
    run_dir: str | Path, name: str, output: str | Path, *, settings: Sequence[str] = (), merge_dtype: str | None = None
) -> Exported:
    """Write a finished run's model by an exporter and ask it in its own runtime; see `adapt_core.export`.

    Args:
        run_dir: the run folder.
        name: of the exporter.
        output: the folder to make.
        settings: "KEY=VALUE": keys of the exporter, and TRUST_REMOTE_CODE.
        merge_dtype: as `--merge-dtype`.
    """
    from adapt_core.execution.finished_run import FinishedRun

    folder = _output_folder(output, merge_dtype)
    finished = FinishedRun.open_for(run_dir, name, settings)
    (chosen,) = finished.plan.exporters
    exporter = make_exporter(chosen)
    exporter.check(finished.plan)
    opened = _Opened(finished, folder, merge_dtype)
    source = source_of(finished.plan, finished.task, finished.folder, opened.model, (None, "random"))
    with _writing(folder), atomic_folder(folder) as temporary:
        record = write_export(exporter, name, source, temporary, reference_of(source))
    log.info("saved %s (%s, %s bytes)", folder, chosen.name, f"{record['bytes']:,}")
    return Exported(folder, opened.merges, opened.outcome, record)


def _output_folder(output: str | Path, merge_dtype: str | None) -> Path:
    from adapt_core.config.core_params.run import MERGE_DTYPES

    if merge_dtype not in (None, *MERGE_DTYPES):
        raise InputError(f"--merge-dtype must be one of {', '.join(MERGE_DTYPES)}; not {merge_dtype!r}.")
    folder = Path(output).expanduser().absolute()
    _refuse_output(folder)
    return folder


class _Opened:
    """The model of a finished run, loaded when it is asked for, and merged where the run did not.

    Raises:
        InputError: the output is inside a model that the run reads, or there is no adapter to merge anew.
    """

    def __init__(self, finished: FinishedRun, output: Path, merge_dtype: str | None) -> None:
        for key, path in input_paths(finished.plan).items():
            if key.startswith("MODEL") and output.resolve().is_relative_to(path.resolve()):
                raise InputError(f"{output} is inside {key} ({path}) of the run. Give another -o.")
        if merge_dtype is not None and not finished.folder.adapter.is_dir():
            raise InputError(
                f"--merge-dtype: {finished.folder.path} has no {finished.folder.adapter.name}/ to merge. Leave it out."
            )
        self._finished, self._dtype = finished, merge_dtype
        self.merges = False
        self.outcome: MergeOutcome | None = None

    def model(self) -> nn.Module:
        """Return the plain model."""
        if self._dtype is None and self._finished.folder.model.is_dir():
            return self._finished.model()
        merged = self._finished.merged(self._dtype)
        self.merges, self.outcome = True, merged.outcome
        return merged.model


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if not _is_of_writing(error, folder):
            raise
        raise InputError(f"{folder} cannot be written: {error.strerror or error}. Give another -o.") from error


def _is_of_writing(error: OSError, folder: Path) -> bool:
    """Return whether an error is about what is written, and not about what a library reads, or a failure of its own.

    The system's errors of writing have no file's name; libraries raise some without a number.
    """
    if error.errno is None or error.filename is None:
        return error.errno is not None
    return Path(os.fsdecode(error.filename)).absolute().is_relative_to(folder.parent)


def _refuse_output(folder: Path) -> None:
    """Raise InputError where a folder cannot be made without touching what is there, before anything is loaded."""
    if folder.is_symlink():
        raise InputError(f"{folder} is a link, and nothing is written through links. Give another -o.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already and is not empty. Give another -o.")
    if os.path.ismount(folder):
        raise InputError(f"{folder} is a mount point, which cannot be replaced. Give a folder in it as -o.")
    for place in (folder, *folder.parents):
        if place.name in NAMES and is_run_folder(place.parent):
            raise InputError(f"{folder} is in {place.name} of the run folder {place.parent}. Give another -o.")
    above = next(path for path in folder.parents if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"{folder} cannot be made: {above} cannot be written to. Give another -o.")
