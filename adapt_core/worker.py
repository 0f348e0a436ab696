"""`python -m adapt_core.worker`: one process of a run that a launcher started.

The plan and this process's place in the world come through standard input as one JSON object, so that nothing
depends on the parent's `__main__` and no file is left behind. Rank 0 writes its result to standard output.
"""

from __future__ import annotations

import json
import sys
import traceback

from adapt_core.contracts import World
from adapt_core.errors import EXIT_DEFECT, AdaptError
from adapt_core.plan import Plan
from adapt_core.registry import Registry


def message(plan: Plan, world: World) -> str:
    """What a launcher writes to a worker's standard input."""
    place = {"rank": world.rank, "local_rank": world.local_rank, "size": world.size, "device": world.device}
    return json.dumps({"plan": plan.to_json(), "world": {**place, "options": dict(world.options)}})


def main() -> int:
    """Reads the plan, runs it, and returns the exit code of the CLI's contract."""
    from adapt_core.admission import admit
    from adapt_core.parts import Parts
    from adapt_core.pipeline import work
    from adapt_core.run_folder import RunFolder
    from adapt_core.run_log import logging_to
    from adapt_core.running import logged_packages
    from adapt_core.screen import make_screen

    received = json.load(sys.stdin)
    disabled = json.loads(received["plan"])["disabled_plugins"]
    registry = Registry.discover(disabled)
    try:
        plan = Plan.from_json(received["plan"], registry)
        world = World(**received["world"])
        folder = RunFolder(plan.output_dir)
        screen = make_screen(world.is_main)
        with logging_to([folder.log] if world.is_main else [], screen, logged_packages(registry)):
            parts = Parts.of(plan, registry)
            result = work(plan, world, parts, registry, screen, admit(plan, folder))
    except AdaptError as error:
        sys.stderr.write(f"rank {received['world']['rank']}: {error}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001 - the parent learns of it by this traceback and the exit code
        traceback.print_exc()
        return EXIT_DEFECT
    if world.is_main:
        sys.stdout.write(result.to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
