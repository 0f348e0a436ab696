"""`python -m adapt_core.worker`: one process of a run that a launcher started.

The plan and this process's place in the world come through standard input as one JSON object, so that nothing
depends on the parent's `__main__` and no file is left behind. `adapt_core.worker_channel` tells of the way back.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from adapt_core.admission import Admission
from adapt_core.contracts import World
from adapt_core.errors import EXIT_DEFECT, AdaptError
from adapt_core.plan import Plan
from adapt_core.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder import RunFolder
from adapt_core.worker_channel import Report, receive, take_standard_output


def message(plan: Plan, world: World, admission: Admission) -> str:
    """What a launcher writes to a worker's standard input: one line."""
    place = {"rank": world.rank, "local_rank": world.local_rank, "size": world.size, "device": world.device}
    entry = {"checkpoint": admission.checkpoint and str(admission.checkpoint), "before": admission.before}
    content = {"plan": plan.to_json(), "world": {**place, "options": dict(world.options)}, "admission": entry}
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
    from adapt_core.parts import Parts
    from adapt_core.pipeline import work
    from adapt_core.run_log import logging_to
    from adapt_core.running import log_files, logged_packages
    from adapt_core.screen import make_screen

    registry = Registry.discover(json.loads(received["plan"])["disabled_plugins"])
    plan = Plan.from_json(received["plan"], registry)
    world = World(**received["world"])
    folder = RunFolder(plan.output_dir)
    checkpoint = received["admission"]["checkpoint"]
    admission = Admission(
        folder=folder, checkpoint=Path(checkpoint) if checkpoint else None, before=received["admission"]["before"]
    )
    screen = make_screen(world.is_main)
    files = log_files(plan, folder) if world.is_main else []
    with logging_to(files, screen, logged_packages(registry)):
        parts = Parts.of(plan, registry)
        try:
            with parts.launcher.join(world):
                result = work(plan, world, parts, registry, screen, admission)
        finally:
            screen.end()
    return result if world.is_main else None


if __name__ == "__main__":
    sys.exit(main())
