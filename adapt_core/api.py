"""The Python API: run a config, check one, export a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import InputError
from adapt_core.execution.command import Command
from adapt_core.execution.components import check_task, make_task
from adapt_core.nn.pickles import weights_only
from adapt_core.nn.products import fast_products
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.runtime.logs import logged_packages, logging_to
from adapt_core.runtime.progress import SilentReporter, make_reporter

if TYPE_CHECKING:
    from adapt_core.capabilities import Chat
    from adapt_core.estimate.estimate import Estimate
    from adapt_core.execution.rows import Data, Inputs


def run(
    config: str | Path | Mapping[str, Any],
    *,
    data: Data | None = None,
    overrides: Iterable[str] = (),
    resume: bool = False,
    strict: bool = False,
    disable_plugins: Iterable[str] = (),
) -> RunResult:
    """Adapt a pretrained model as a config says.

    Args:
        config: a YAML file, or a mapping of the same keys.
        data: rows in place of the data that the config names: a list of dicts, a datasets.Dataset, a pandas DataFrame,
            or a mapping of train, validation and test to one of these.
        overrides: "KEY=VALUE" strings on top, as `--set` takes them.
        resume: go on from the newest complete checkpoint in the run folder.
        strict: a documented key that this run does not use is an error.
        disable_plugins: plugins to leave out.

    Returns:
        the result, which is also in `result.json` of the run folder.

    Raises:
        InputError: the config, data, model or folder is at fault; only the log and the record of the run were written.
        DefectError: adapt or a plugin is at fault.
        InterruptedRunError: Ctrl-C or SIGTERM came while it trained; a checkpoint was written.
        KeyboardInterrupt: one came at another time, or a second one.
    """
    registry = Registry.discover(disable_plugins)
    return run_plan(resolve(_read(config, data, overrides), registry, strict=strict, resume=resume), registry)


def check(
    config: str | Path | Mapping[str, Any],
    *,
    data: Data | None = None,
    overrides: Iterable[str] = (),
    strict: bool = False,
    disable_plugins: Iterable[str] = (),
) -> Plan:
    """Return the plan of a config, with every check made that needs neither torch nor the data's rows.

    The arguments are those of `run`.

    Raises:
        InputError: what `run` would refuse.
    """
    registry = Registry.discover(disable_plugins)
    plan = resolve(_read(config, data, overrides), registry, strict=strict)
    check_task(plan, make_task(plan))
    return plan


def _read(config: str | Path | Mapping[str, Any], data: Data | None, overrides: Iterable[str]) -> RunConfig:
    read = RunConfig.read(config, overrides)
    return read if data is None else read.reading(_store(data).parent)


def _store(data: Data) -> Path:
    """Return the file of the first split of rows in memory."""
    from adapt_core.execution.rows import store_rows

    return next(iter(store_rows(data).values()))


@weights_only()
def estimate(plan: Plan, *, pictures: bool = False) -> Estimate:
    """Return an estimate of a plan's data, steps, memory and disk. Nothing is trained.

    Args:
        plan: what `check` returned.
        pictures: draw training examples too, where the model sees pictures.

    Raises:
        InputError: what `run` would refuse.
    """
    from adapt_core.estimate.estimate import estimate_run
    from adapt_core.estimate.recomputation import FittedPlan, fit_memory
    from adapt_core.execution.settings import fit_settings

    registry = Registry.discover(plan.disabled_plugins)
    chosen = fit_settings(plan, registry)
    settings = chosen.remarks[-1] if plan.fitting else None
    fitted = FittedPlan(plan=chosen)
    if _is_fitted(chosen):
        # What is said of the data is said again below, and of what is not chosen nothing.
        with logging_to([], SilentReporter(), logged_packages(registry)):
            fitted = fit_memory(chosen, registry)
    with logging_to([], make_reporter(is_main=True), logged_packages(registry)):
        found = estimate_run(fitted.plan, registry, pictures)
    return attrs.evolve(found, batch_size=fitted.batch_size, recomputation=fitted.recomputation, settings=settings)


def run_plan(plan: Plan, registry: Registry) -> RunResult:
    """Run a plan: `run` after its config is resolved."""
    if plan.fitting:
        from adapt_core.execution.settings import fit_settings

        plan = fit_settings(plan, registry)
    if not _is_fitted(plan):
        return _run_plan(plan, registry)
    from adapt_core.estimate.fitted_run import run_fitted

    return run_fitted(plan, registry, lambda fitted: _run_plan(fitted, registry))


def _is_fitted(plan: Plan) -> bool:
    """Return whether memory decides something of the training."""
    return plan.training.do_train and (plan.training.fit_batch_size or plan.training.fit_recomputation)


def _run_plan(plan: Plan, registry: Registry) -> RunResult:
    if plan.data.folds is not None and plan.data.fold is None:
        from adapt_core.execution.folds import folds_of
        from adapt_core.execution.repeated_runs import run_repeatedly

        return run_repeatedly(plan, folds_of(plan, registry))
    if plan.training.seeds is not None:
        from adapt_core.execution.repeated_runs import run_repeatedly
        from adapt_core.execution.seeds import seeds_of

        return run_repeatedly(plan, seeds_of(plan, registry))
    if plan.data.fold is not None:
        from adapt_core.execution.out_of_fold import run_fold

        return run_fold(plan, registry)
    return Command.of(plan, registry).execute()


def export(
    run: RunResult | str | Path,
    save_method: str,
    output: str | Path,
    *,
    trust: bool = False,
    merge_dtype: str | None = None,
    settings: Iterable[str] = (),
) -> Path:
    """Write a finished run's model in another form. An adapter that the run did not merge is merged and checked.

    Args:
        run: what `run` returned, or the run folder.
        save_method: one of `SAVE_METHODS`, or the name of an exporter, which asks the export in its own runtime.
        output: the folder to make; it must not exist, or be empty.
        trust: load a pickled model (SAVE_METHOD full_torch_model), which can run code.
        merge_dtype: merge the adapter of the run anew, as with this MERGE_DTYPE ("auto", "float32").
        settings: "KEY=VALUE" strings: keys of the exporter.

    Returns:
        the folder.

    Raises:
        InputError: the run is not finished, the folder is in use, or the form is unknown.
        DefectError: the merged model does not compute what the unmerged one does, or the export
            in its runtime; nothing is written.
    """
    from adapt_core.config.core_params.run import SAVE_METHODS
    from adapt_core.execution.export import export_finished, export_to

    if save_method not in SAVE_METHODS:
        given = [f"TRUST_REMOTE_CODE={str(trust).lower()}", *settings]
        return export_to(_folder_of(run), save_method, output, settings=given, merge_dtype=merge_dtype).folder
    return export_finished(_folder_of(run), save_method, output, trust=trust, merge_dtype=merge_dtype).folder


@weights_only()
def predict(run: RunResult | str | Path, inputs: Inputs, *, trust: bool = False) -> list[dict[str, Any]]:
    """Predict with a finished run's model.

    Args:
        run: what `run` returned, or the run folder.
        inputs: raw texts, or paths of files that the task reads; one or several. Or rows with the task's input columns,
            as `run` takes them: for an image `image`, a path, an image of Pillow, or an array of uint8, (height, width)
            or (height, width, channels) with 3 or 4 channels. Such images may be given without rows, too.
        trust: load a pickled model (SAVE_METHOD full_torch_model) or one with code of its own.

    Returns:
        one mapping for each input, in their order; each task documents its keys.

    Raises:
        InputError: the run is not finished, an input cannot be read, or the model is not trusted.
    """
    from adapt_core.execution.finished_run import FinishedRun
    from adapt_core.execution.rows import as_arguments

    finished = FinishedRun.open(_folder_of(run), trust=trust)
    raw = finished.task.read_inputs(as_arguments(inputs))
    with fast_products(wanted=finished.plan.training.fast_products):
        return finished.task.predict(finished.model(), finished.folder.model, raw)


def open_chat(run_dir: str | Path, *, trust: bool = False) -> Chat:
    """Return a chat with a finished run's language model.

    Args:
        run_dir: the run folder.
        trust: as `predict`.

    Raises:
        InputError: the run is not finished, its task writes no texts, or the model is not trusted.
    """
    from adapt_core.capabilities import SupportsChat
    from adapt_core.execution.finished_run import FinishedRun

    finished = FinishedRun.open(run_dir, trust=trust)
    if not isinstance(finished.task, SupportsChat):
        name = finished.plan.task.name
        raise InputError(f"{run_dir} is a run of {name}, whose models cannot be talked with. Use adapt predict.")
    return finished.task.open_chat(finished.model(), finished.folder.model)


def _folder_of(run: RunResult | str | Path) -> str | Path:
    return run.output_dir if isinstance(run, RunResult) else run
