"""`python -m adapt_core.execution.worker`: one process of a run that a launcher started.

The worker reads the plan and its world from standard input as one JSON object, so that nothing depends on the parent's
`__main__` and no file is left behind. `worker_protocol` describes the report that it sends back.

A launcher on an engine that has processes of its own calls `serve` in them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.stop_after import stop_after
from adapt_core.distributed.world import World
from adapt_core.errors import AdaptError, DefectError
from adapt_core.execution.worker_protocol import Report, receive, take_standard_output
from adapt_core.nn.pickles import weights_only
from adapt_core.nn.products import fast_products
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.environment_errors import environment_error, machine_error
from adapt_core.runtime.interrupts import REPEATED_SECONDS, StopRequest
from adapt_core.runtime.progress import ProgressReporter, make_reporter


def message(plan: Plan, world: World, decision: ResumeDecision, since: float | None = None, steps: int = 0) -> str:
    """Return the line that a launcher writes to a worker's standard input.

    Args:
        plan: the plan.
        world: the worker's place.
        decision: how the run enters its folder.
        since: when the command began (`StopRequest.since`), which STOP_AFTER counts from; the worker's start without.
        steps: that the command has trained in earlier workers (`StopRequest.steps_before`).
    """
    content = {
        "since": since,
        "steps": steps,
        "plan": plan_to_json(plan),
        "world": {**attrs.asdict(world), "options": dict(world.options)},
        "decision": decision.to_data(),
    }
    return json.dumps(content) + "\n"


def main() -> int:
    """Run the plan on standard input, report the outcome, and return the exit code."""
    channel = take_standard_output()
    stop = StopRequest()
    received = receive(stop.regroup)
    is_main = received.get("world", {}).get("rank") == 0  # a fault of the message is reported, too
    report = serve(received, make_reporter(is_main), stop)
    channel.write(report.to_line())
    channel.flush()
    return report.exit_code


def serve(received: Mapping[str, Any], reporter: ProgressReporter, stop: StopRequest | None = None) -> Report:
    """Execute a run as one process of it, and return how it ended; nothing is raised.

    Args:
        received: what `message` wrote, read.
        reporter: shows progress and messages; it is closed.
        stop: the request to stop, where others than signals ask for it too (`StopRequest.ask`): those of this process
            do where this is the main thread.
    """
    return reported(lambda: _run(received, reporter, stop))


def reported(execute: Callable[[], RunResult | None]) -> Report:
    """Return how a run ended; nothing is raised.

    Args:
        execute: returns its result, or None where another process has it.
    """
    try:
        result = execute()
        return Report(result=result.to_json() if result else None)
    except KeyboardInterrupt as error:
        return Report(interrupted=str(error) or "Ctrl-C")
    except SystemExit as leave:
        return Report.of_error(DefectError(f"a plugin or a library ended the process (exit code {leave.code})"))
    except Exception as error:  # noqa: BLE001 - the launcher shows it
        told = None if isinstance(error, AdaptError) else machine_error(error)
        if told is not None:
            told.__cause__ = error  # for the traceback in log.txt
        return Report.of_error(told or error)


@weights_only()
def _run(received: Mapping[str, Any], reporter: ProgressReporter, stop: StopRequest | None) -> RunResult | None:
    """Execute the run as one process of it. Return its result on rank 0, else None."""
    from adapt_core.execution.components import Components
    from adapt_core.execution.pipeline import Run
    from adapt_core.runtime.logs import log_files, logged_packages, logging_to
    from adapt_core.trackers import end_trackers

    registry = Registry.discover(json.loads(received["plan"])["disabled_plugins"])
    plan = plan_from_json(received["plan"], registry)
    world = World(**received["world"])
    folder = RunFolder(plan.output_dir)
    decision = ResumeDecision.from_data(received["decision"], folder)
    files = log_files(plan, folder) if world.is_main else []
    stop = stop or StopRequest()
    stop.limit_to(stop_after(plan.training.stop_after), received["since"], received["steps"])
    # The launcher says that it passes a signal on; one to this process alone stands in the last message.
    heard = stop.on_signals(lambda line: None, repeated=REPEATED_SECONDS)
    with logging_to(files, reporter, logged_packages(registry)), heard:
        try:
            components = Components.of(plan)
            run = Run(
                plan=plan,
                world=world,
                components=components,
                registry=registry,
                reporter=reporter,
                decision=decision,
                stop=stop,
            )
            with components.launcher.process_group(world), fast_products(wanted=plan.training.fast_products):
                result = run.execute()
        except AdaptError:
            raise
        except Exception as error:
            found = environment_error(error, folder)
            if found is None:
                raise
            raise found from error
        finally:
            end_trackers(registry)
            reporter.close()
    return result if world.is_main else None


if __name__ == "__main__":
    sys.exit(main())
