"""The Python API: run a config, check one, export a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.execution.command import Command
from adapt_core.execution.components import check_task, make_task
from adapt_core.nn.pickles import weights_only
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.runtime.logs import logged_packages, logging_to
from adapt_core.runtime.progress import make_reporter
from adapt_core.runtime.trackers import require_trackers

if TYPE_CHECKING:
    from adapt_core.estimate.estimate import Estimate


def run(
    config: str | Path | Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    resume: bool = False,
    strict: bool = False,
    disable_plugins: Iterable[str] = (),
) -> RunResult:
    """Adapt a pretrained model as a config says.

    Args:
        config: a YAML file, or a mapping of the same keys.
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
    return run_plan(resolve(RunConfig.read(config, overrides), registry, strict=strict, resume=resume), registry)


def check(
    config: str | Path | Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    strict: bool = False,
    disable_plugins: Iterable[str] = (),
) -> Plan:
    """Return the plan of a config, with every check made that needs neither torch nor the data's rows.

    Raises:
        InputError: what `run` would refuse.
    """
    registry = Registry.discover(disable_plugins)
    plan = resolve(RunConfig.read(config, overrides), registry, strict=strict)
    require_trackers(plan)
    check_task(plan, make_task(plan))
    return plan


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

    registry = Registry.discover(plan.disabled_plugins)
    reporter = make_reporter(is_main=True)
    with logging_to([], reporter, logged_packages(registry)):
        return estimate_run(plan, registry, pictures)


def run_plan(plan: Plan, registry: Registry) -> RunResult:
    """Run a plan: `run` after its config is resolved."""
    return Command.of(plan, registry).execute()


def export(run_dir: str | Path, save_method: str, output: str | Path, *, trust: bool = False) -> Path:
    """Write a finished run's model in another form. An adapter that the run did not merge is merged and checked.

    Args:
        run_dir: the run folder.
        save_method: one of `SAVE_METHODS`.
        output: the folder to make; it must not exist, or be empty.
        trust: load a pickled model (SAVE_METHOD full_torch_model), which can run code.

    Returns:
        the folder.

    Raises:
        InputError: the run is not finished, the folder is in use, or the form is unknown.
        DefectError: the merged model does not compute what the unmerged one does; nothing is written.
    """
    from adapt_core.execution.export import export_finished

    return export_finished(run_dir, save_method, output, trust=trust).folder


@weights_only()
def predict(run_dir: str | Path, inputs: Sequence[str], *, trust: bool = False) -> list[dict[str, Any]]:
    """Predict with a finished run's model.

    Args:
        run_dir: the run folder.
        inputs: raw texts, or paths of files that the task reads.
        trust: load a pickled model (SAVE_METHOD full_torch_model) or one with code of its own.

    Returns:
        one mapping for each input, in their order; each task documents its keys.

    Raises:
        InputError: the run is not finished, an input cannot be read, or the model is not trusted.
    """
    from adapt_core.execution.finished_run import FinishedRun

    run = FinishedRun.open(run_dir, trust=trust)
    raw = run.task.read_inputs(inputs)
    return run.task.predict(run.model(), run.folder.model, raw)
