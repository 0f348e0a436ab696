"""Load finished runs in a new process, evaluate them, and print the difference to the metrics of training.

python -m matrix.reload RUN_DIR...
"""

from __future__ import annotations

import json
import sys
from typing import Any


def evaluated(run_dir: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return validation metrics as measured in training, and those of the saved model.

    A merged or plain model is loaded from `model/`; where only an adapter was saved, it goes onto its base again.
    """
    from adapt_core.contracts import Job
    from adapt_core.distributed.devices import device_here
    from adapt_core.distributed.world import World
    from adapt_core.execution.components import Components
    from adapt_core.execution.finished_run import FinishedRun
    from adapt_core.runtime.progress import SilentReporter
    from adapt_core.runtime.recorder import MetricRecorder
    from adapt_core.verification.training import TrainingCheck

    finished = FinishedRun.open(run_dir)
    plan, registry, folder = finished.plan, finished.registry, finished.folder
    result = folder.finished()
    assert result is not None
    parts, world = Components.of(plan, task=finished.task), World(device=device_here(plan))
    data = finished.task.load_data()
    if folder.model.is_dir():
        model = finished.model()
    else:
        base = finished.task.load_model(data, parts.quantizer, world).model
        if parts.quantizer is not None:
            base = parts.quantizer.prepare(base, False)
        model = parts.method.load_adapter(base, folder.adapter)
    recorder = MetricRecorder(folder, SilentReporter(), registry.manager, is_main=False)
    training_check = TrainingCheck(model, {}, plan.method.name)
    loop = finished.task.make_loop(
        Job(
            plan=plan,
            world=world,
            data=data,
            model=model,
            folder=folder,
            recorder=recorder,
            training_check=training_check,
        )
    )
    return dict(result.metrics["after"] or {}), loop.evaluate(data.validation)


def main() -> None:
    """Reload each run and print a JSON line: both losses, or the error."""
    for run_dir in sys.argv[1:]:
        line: dict[str, Any] = {"run": run_dir}
        try:
            before, again = evaluated(run_dir)
            line |= {"losses": [before["loss"], again["loss"]], "metrics": [before, again]}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            line |= {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
