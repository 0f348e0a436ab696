"""The adapted model into the run folder: adapter, merged model, and what loading needs."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.config.plan import Plan
from adapt_core.contracts import Task
from adapt_core.errors import InputError
from adapt_core.execution.components import Components
from adapt_core.run_folder.files import whole_folder
from adapt_core.run_folder.paths import RunFolder
from adapt_core.verification.merge import MergeCheck, MergeOutcome

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)


def export_run(
    plan: Plan, components: Components, model: nn.Module, folder: RunFolder, merge_check: MergeCheck
) -> tuple[dict[str, str], MergeOutcome | None]:
    """Writes `adapter/` (where the method added one) and `model/`, each whole or not at all.

    MERGE_ADAPTER defaults to true on a float base and to false on a quantized one, where only `adapter/` is written.
    What a method without an adapter trained on a quantized base is saved with the base dequantized.

    Returns:
        artifact names to paths inside the run folder, and the figures of the merge where an adapter was merged.

    Raises:
        DefectError: the merged model computes something else than the trained one.
    """
    method, quantizer = components.method, components.quantizer
    artifacts: dict[str, str] = {}
    with whole_folder(folder.adapter) as temporary:
        has_adapter = method.save_adapter(model, temporary)
    if has_adapter:
        artifacts["adapter"] = folder.adapter.name
        log.info("saved %s (%s bytes)", folder.adapter, f"{size_of(folder.adapter):,}")
    else:
        shutil.rmtree(folder.adapter)
    merge = quantizer is None if plan.run.merge_adapter is None else plan.run.merge_adapter
    if has_adapter and not merge:
        log.info("only the adapter is saved; merge it later with: adapt export %s --save-method M -o DIR", folder.path)
        return artifacts, None
    if has_adapter:
        merge_check.before(model)
    merge_check.stop()
    try:
        plain = method.merge(model, quantizer)
    except InputError as reason:
        if plan.run.merge_adapter or not has_adapter:
            raise
        log.warning("only the adapter is saved: %s", reason)
        return artifacts, None
    figures = merge_check.after(plain) if has_adapter else None
    save_model(components.task, plain, folder.model, plan.run.save_method)
    artifacts["model"] = folder.model.name
    return artifacts, figures


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def save_model(task: Task, model: nn.Module, folder: Path, save_method: str) -> None:
    """Writes a plain model folder, whole or not at all."""
    with whole_folder(folder) as temporary:
        task.save_model(model, temporary, save_method)
    log.info("saved %s (%s, %s bytes)", folder, save_method, f"{size_of(folder):,}")
