"""The adapted model saved: adapter and merged model in the run folder, and other formats of a finished run."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.capabilities import SupportsPlainAdapter
from adapt_core.config.plan import Plan
from adapt_core.contracts import Task, TaskData
from adapt_core.errors import InputError
from adapt_core.execution.components import Components
from adapt_core.execution.merge import merge_checked
from adapt_core.execution.model_data import write_model_data
from adapt_core.nn.pickles import weights_only
from adapt_core.run_folder.claims import placed_folder
from adapt_core.run_folder.files import atomic_folder
from adapt_core.run_folder.inputs import input_paths
from adapt_core.run_folder.names import NAMES, is_run_folder
from adapt_core.run_folder.paths import RunFolder
from adapt_core.verification.merge import MergeCheck

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.result import MergeOutcome

log = logging.getLogger(__name__)


def export_run(
    plan: Plan, components: Components, data: TaskData, model: nn.Module, folder: RunFolder, merge_check: MergeCheck
) -> tuple[dict[str, str], MergeOutcome | None]:
    """Write `adapter/` (where the method added one) and `model/`, each complete or not at all.

    MERGE_ADAPTER defaults to true on a float base and to false on a quantized one, where only `adapter/` is written.
    What a method without an adapter trained on a quantized base is saved with the base dequantized.

    Returns:
        artifact names to paths inside the run folder, and the outcome of the merge check where an adapter was merged.

    Raises:
        DefectError: the merged model does not compute what the trained one does.
    """
    method, quantizer = components.method, components.quantizer
    artifacts: dict[str, str] = {}
    with placed_folder(folder.path, folder.adapter.name) as temporary:
        has_adapter = method.save_adapter(model, temporary)
        if has_adapter:
            write_model_data(temporary, data)
        if has_adapter and isinstance(components.task, SupportsPlainAdapter):
            components.task.save_beside_adapter(model, temporary)
    if has_adapter:
        artifacts["adapter"] = folder.adapter.name
        log.info("saved %s (%s bytes)", folder.adapter, f"{size_of(folder.adapter):,}")
    merge = quantizer is None if plan.run.merge_adapter is None else plan.run.merge_adapter
    if has_adapter and not merge:
        log.info("only the adapter is saved; merge it later with: adapt export %s --save-method M -o DIR", folder.path)
        return artifacts, None
    merge_check.stop()
    outcome = None
    try:
        if has_adapter:
            plain, outcome = merge_checked(model, method, quantizer, merge_check, plan.run.merge_dtype)
        else:
            plain = method.merge(model, quantizer)
    except InputError as reason:
        if plan.run.merge_adapter or not has_adapter:
            raise
        log.warning("only the adapter is saved: %s", reason)
        return artifacts, None
    with placed_folder(folder.path, folder.model.name) as temporary:
        components.task.save_model(plain, temporary, plan.run.save_method)
    _log_saved(folder.model, plan.run.save_method)
    artifacts["model"] = folder.model.name
    return artifacts, outcome


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


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
    """

    folder: Path
    merged: bool
    merge: MergeOutcome | None


@weights_only()
def export_finished(
    run_dir: str | Path, save_method: str, output: str | Path, *, trust: bool, merge_dtype: str | None = None
) -> Exported:
    """Write a finished run's model in another form; see `adapt_core.export`."""
    from adapt_core.config.core_params.run import MERGE_DTYPES, SAVE_METHODS
    from adapt_core.execution.finished_run import FinishedRun

    if save_method not in SAVE_METHODS:
        raise InputError(f"--save-method must be one of {', '.join(SAVE_METHODS)}; not {save_method!r}.")
    if merge_dtype not in (None, *MERGE_DTYPES):
        raise InputError(f"--merge-dtype must be one of {', '.join(MERGE_DTYPES)}; not {merge_dtype!r}.")
    folder = Path(output).expanduser().absolute()
    _refuse_output(folder)
    finished = FinishedRun.open(run_dir, trust=trust)
    for key, path in input_paths(finished.plan).items():
        if key.startswith("MODEL") and folder.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{folder} is inside {key} ({path}) of the run. Give another -o.")
    if merge_dtype is not None and not finished.folder.adapter.is_dir():
        raise InputError(
            f"--merge-dtype: {finished.folder.path} has no {finished.folder.adapter.name}/ to merge. Leave it out."
        )
    merges = merge_dtype is not None or not finished.folder.model.is_dir()
    merged = finished.merged(merge_dtype) if merges else None
    model = merged.model if merged else finished.model()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_model(finished.task, model, folder, save_method)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}. Give another -o.") from error
    return Exported(folder, merges, merged.outcome if merged else None)


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
