"""The Python API: run a config, check one, export a finished run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.contracts import Launcher
from adapt_core.distributed import torchrun
from adapt_core.distributed.world import World
from adapt_core.errors import AdaptError, InputError
from adapt_core.execution.components import Components, instantiate
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime.environment_errors import environment_error
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.logs import FILE_ONLY, log_files, logged_packages, logging_to
from adapt_core.runtime.progress import ProgressReporter, make_reporter
from adapt_core.runtime.trackers import require_trackers

if TYPE_CHECKING:
    from adapt_core.estimate.run import Estimate
    from adapt_core.run_folder.resume import ResumeDecision

log = logging.getLogger(__name__)


def run(
    config: str | Path | Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    resume: bool = False,
    strict: bool = False,
    disable_plugins: Iterable[str] = (),
) -> RunResult:
    """Adapts a pretrained model as a config says.

    Args:
        config: a YAML file, or a mapping of the same keys.
        overrides: "KEY=VALUE" strings on top, as `--set` takes them.
        resume: go on from the newest whole checkpoint in the run folder.
        strict: a documented key that this run does not use is an error.
        disable_plugins: plugins to leave out.

    Returns:
        the result, which `result.json` in the run folder holds too.

    Raises:
        InputError: the config, data, model or folder is at fault; nothing but the log was written.
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
    """The plan of a config, with every check made that needs neither torch nor the data's rows.

    Raises:
        InputError: what `run` would refuse.
    """
    registry = Registry.discover(disable_plugins)
    plan = resolve(RunConfig.read(config, overrides), registry, strict=strict)
    require_trackers(plan)
    instantiate(plan, "task", registry).check()
    return plan


def estimate(plan: Plan, *, pictures: bool = False) -> Estimate:
    """What a plan's run will see and need. Prepares the data and counts on a model without weights; trains nothing.

    Args:
        plan: what `check` returned.
        pictures: draw training examples too, where the model sees pictures.

    Raises:
        InputError: what `run` would refuse.
    """
    from adapt_core.estimate.run import estimate_run

    registry = Registry.discover(plan.disabled_plugins)
    reporter = make_reporter(is_main=True)
    with logging_to([], reporter, logged_packages(registry)):
        return estimate_run(plan, registry, pictures)


def run_plan(plan: Plan, registry: Registry) -> RunResult:
    """Runs a plan: the part of `run` behind the config."""
    launcher = instantiate(plan, "launcher", registry)
    return _lead(plan, registry, launcher) if launcher.is_coordinator() else _follow(plan, registry, launcher)


def _lead(plan: Plan, registry: Registry, launcher: Launcher) -> RunResult:
    from adapt_core.run_folder.resume import decide_resume

    folder = RunFolder(plan.output_dir)
    folder.prepare()
    reporter = make_reporter(is_main=True)
    stop = StopRequest()
    logged = logging_to(log_files(plan, folder), reporter, logged_packages(registry))
    with folder.locked(), logged, stop.on_signals(reporter.message):
        try:
            decision = decide_resume(plan, folder)
            if decision.finished is not None:
                return decision.finished
            log.info("%s with %s -> %s", plan.task.name, plan.method.name, folder.path)
            for remark in plan.remarks:
                log.info("%s", remark)
            return _launch(plan, registry, launcher, reporter, decision, stop)
        except AdaptError as error:
            log.error("%s", error, extra=FILE_ONLY)  # noqa: TRY400 - a user's error has no use for a traceback
            raise
        except KeyboardInterrupt as error:
            log.warning("interrupted%s", f" by {error}" if str(error) else "", extra=FILE_ONLY)
            if folder.checkpoints.exists():
                reporter.message("Checkpoints from before are kept: go on with the same command and --resume.")
            raise
        except Exception as error:
            told = environment_error(error, folder)
            if told is None:
                log.exception("a defect of adapt or of a library underneath", extra=FILE_ONLY)
                raise
            log.exception("%s", told, extra=FILE_ONLY)
            raise told from error
        finally:
            reporter.close()


def _follow(plan: Plan, registry: Registry, launcher: Launcher) -> RunResult:
    place = torchrun.place()
    reporter = make_reporter(is_main=place is None or place.local_rank == 0)
    with logging_to([], reporter, logged_packages(registry)):
        return _launch(plan, registry, launcher, reporter, None, None)


def _launch(
    plan: Plan,
    registry: Registry,
    launcher: Launcher,
    reporter: ProgressReporter,
    decision: ResumeDecision | None,
    stop: StopRequest | None,
) -> RunResult:
    require_trackers(plan)
    task = instantiate(plan, "task", registry)
    task.check()
    from adapt_core.distributed.devices import choose_gpus

    choose_gpus(plan.run.cuda_id)
    launcher.check(plan)

    def work_here(plan: Plan, world: World, decision: ResumeDecision) -> RunResult:
        from adapt_core.execution.pipeline import work

        return work(plan, world, Components.of(plan, registry, task, launcher), registry, reporter, decision, stop)

    return launcher.launch(plan, work_here, decision)


def export(run_dir: str | Path, save_method: str, output: str | Path, *, trust: bool = False) -> Path:
    """Writes a finished run's model in another form.

    Args:
        run_dir: the run folder.
        save_method: one of `SAVE_METHODS`.
        output: the folder to make; it must not exist, or be empty.
        trust: load a pickled model (SAVE_METHOD full_torch_model), which can run code.

    Returns:
        the folder.

    Raises:
        InputError: the run is not finished, the folder is in use, or the form is unknown.
    """
    from adapt_core.config.core_params import SAVE_METHODS
    from adapt_core.execution.export import save_model
    from adapt_core.execution.finished_run import FinishedRun

    if save_method not in SAVE_METHODS:
        raise InputError(f"--save-method must be one of {', '.join(SAVE_METHODS)}; not {save_method!r}.")
    folder = Path(output).expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already and is not empty. Give another -o.")
    finished = FinishedRun.open(run_dir, trust=trust)
    model = finished.model()
    folder.parent.mkdir(parents=True, exist_ok=True)
    save_model(finished.task, model, folder, save_method)
    return folder


def predict(run_dir: str | Path, inputs: Sequence[str], *, trust: bool = False) -> list[dict[str, Any]]:
    """Predicts with a finished run's model.

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
