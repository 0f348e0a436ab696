"""`python -m adapt_core.execution.worker`: one process of a run that a launcher started.

The plan and this process's place in the world come through standard input as one JSON object, so that nothing
depends on the parent's `__main__` and no file is left behind. The way back: `worker_protocol`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.distributed.world import World
from adapt_core.errors import EXIT_DEFECT, AdaptError
from adapt_core.execution.worker_protocol import Report, receive, take_standard_output
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision


def message(plan: Plan, world: World, decision: ResumeDecision) -> str:
    """What a launcher writes to a worker's standard input: one line."""
    place = {"rank": world.rank, "local_rank": world.local_rank, "size": world.size, "device": world.device}
    entry = {"checkpoint": decision.checkpoint and str(decision.checkpoint), "before": decision.before}
    content = {"plan": plan.to_json(), "world": {**place, "options": dict(world.options)}, "decision": entry}
    return json.dumps(content) + "\n"


def main() -> int:
    """Runs the plan that comes in, reports how it ended, and returns the exit code of the CLI's contract."""
    channel = take_standard_output()
    code = 0
    try:
        result = _run(receive())
        report = Report(result=result.to_json() if result else None)
    except Exception as error:  # noqa: BLE001 - the launcher tells of it
        code = error.exit_code if isinstance(error, AdaptError) else EXIT_DEFECT
        report = Report.of_error(error)
    channel.write(report.to_line())
    channel.flush()
    return code


def _run(received: dict[str, Any]) -> RunResult | None:
    """The whole run as one process of it; rank 0's result."""
    from adapt_core.execution.components import Components
    from adapt_core.execution.pipeline import work
    from adapt_core.runtime.logs import log_files, logged_packages, logging_to
    from adapt_core.runtime.progress import make_reporter

    registry = Registry.discover(json.loads(received["plan"])["disabled_plugins"])
    plan = Plan.from_json(received["plan"], registry)
    world = World(**received["world"])
    folder = RunFolder(plan.output_dir)
    checkpoint = received["decision"]["checkpoint"]
    decision = ResumeDecision(
        folder=folder, checkpoint=Path(checkpoint) if checkpoint else None, before=received["decision"]["before"]
    )
    reporter = make_reporter(world.is_main)
    files = log_files(plan, folder) if world.is_main else []
    with logging_to(files, reporter, logged_packages(registry)):
        parts = Components.of(plan, registry)
        try:
            with parts.launcher.process_group(world):
                result = work(plan, world, parts, registry, reporter, decision)
        finally:
            reporter.close()
    return result if world.is_main else None


if __name__ == "__main__":
    sys.exit(main())
