"""Kill a run at random moments, resume it, and compare the end with an uninterrupted run.

    python -m stress.kill_anywhere --config CONFIG --kills 30
    python -m stress.kill_anywhere --job object_detection --data ../shared/data --kills 30

Every second kill waits for a checkpoint that is being written (its manifest is not there yet) and kills in the middle
of it. The weights of `model/`, the metrics and every logged training loss must equal the undisturbed run's, bit for
bit. Prints one JSON object; exits with 1 where anything differs.

Each run is the command `adapt run CONFIG --resume` in a process of its own, forked from this one after the libraries
were imported: a run then takes its own seconds and not those of the imports, and kills fall into it.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from benchmarks.small_jobs import JOBS

MANIFEST = "manifest.json"
_STEPS: dict[str, Any] = {"EPOCHS": 3, "INTERVAL": "steps", "INTERVAL_STEPS": 1, "NO_OF_CHECKPOINTS": 3}
_HF = ("adapt_core.hf.loop.loop", "transformers", "datasets", "adapt_core.execution.pipeline", "adapt_core.report")
_MODULES = {
    "text": (*_HF, "adapt_nlp.text_classification.task"),
    "image": (*_HF, "adapt_vision_mm.image_classification.task"),
    "mm": ("adapt_core.execution.pipeline", "adapt_core.report", "adapt_vision_mm.openmmlab.task", "mmengine.runner"),
}


@attrs.define
class Run:
    """A forked `adapt run`. `code` is its exit code once it has ended, negative for a signal."""

    pid: int
    code: int | None = None

    def ended(self) -> bool:
        """Return whether the run has ended."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code


def start(config: Path, folder: Path, arguments: list[str]) -> Run:
    """Start `adapt run --resume` in its own session, so that all its processes can be killed at once."""
    pid = os.fork()
    if pid:
        return Run(pid)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    errors = os.open(folder.parent / f"{folder.name}.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(errors, 2)
    sys.argv = ["adapt", "run", str(config), "--resume", "--set", f"OUTPUT_DIR={folder}", *arguments]
    code = 1
    try:
        import_module("adapt_core.cli").main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def checkpoints(folder: Path) -> set[Path]:
    """Return the existing checkpoints; none while a new run is deleting them."""
    try:
        return set((folder / "checkpoints").glob("checkpoint-*"))
    except FileNotFoundError:
        return set()


def being_written(folder: Path, known: set[Path]) -> bool:
    """Return whether a new checkpoint has been started and has no manifest yet."""
    return any(path not in known and not (path / MANIFEST).is_file() for path in checkpoints(folder))


def kill(run: Run, folder: Path, wait: float, in_checkpoint: bool) -> str:
    """Kill the run after `wait` seconds, or as soon after as a checkpoint is being written; return how it ended."""
    known = checkpoints(folder)
    due = time.monotonic() + wait
    while not run.ended():
        if in_checkpoint and time.monotonic() >= due and being_written(folder, known):
            break
        if not in_checkpoint and time.monotonic() >= due:
            break
        if in_checkpoint and time.monotonic() < due:
            known = checkpoints(folder)
        time.sleep(0.0005 if in_checkpoint else 0.01)
    if run.ended():
        return "finished" if run.code == 0 else f"exit {run.code}"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return "killed in a checkpoint" if in_checkpoint else "killed"


def outcome(folder: Path) -> dict[str, Any]:
    """Return what must be equal: weights by file, metrics, losses by step."""
    model = folder / "model"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "weights": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(model.iterdir())
            if path.suffix in (".pt", ".pth", ".safetensors")
        },
        "metrics": json.loads((folder / "result.json").read_text(encoding="utf-8"))["metrics"],
        "losses": {line["step"]: line["loss"] for line in lines if line["phase"] == "train"},
    }


def disturb(config: Path, work: Path, kills: int, choose: random.Random, more: list[str]) -> dict[str, Any]:
    """Kill and resume until the number of kills is reached, and return the counts."""
    report: dict[str, Any] = {"kills": 0, "in_checkpoint": 0, "finished": 0, "equal": 0, "differing": [], "failed": []}
    reference = work / "reference"
    began = time.monotonic()
    if start(config, reference, more).wait():
        raise SystemExit((work / "reference.err").read_text(encoding="utf-8")[-3000:])
    whole = time.monotonic() - began
    wanted = outcome(reference)
    folder, round_number = work / "run-1", 1
    while report["kills"] < kills or folder.exists():
        in_checkpoint = report["kills"] < kills and report["kills"] % 2 == 1
        wait = choose.uniform(0, whole / (2 if in_checkpoint else 1)) if report["kills"] < kills else 1e9
        ended = kill(start(config, folder, more), folder, wait, in_checkpoint)
        if ended.startswith("killed"):
            report["kills"] += 1
            report["in_checkpoint"] += in_checkpoint
            continue
        if ended == "finished":
            report["finished"] += 1
            found = outcome(folder)
            report["equal"] += found == wanted
            if found != wanted:
                report["differing"].append({key: found[key] != wanted[key] for key in wanted})
        else:
            report["failed"].append((work / f"{folder.name}.err").read_text(encoding="utf-8")[-1000:])
        shutil.rmtree(folder, ignore_errors=True)
        round_number += 1
        folder = work / f"run-{round_number}"
    return report


def main() -> None:
    """Parse the command line, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, help="a config of your own")
    what.add_argument("--job", choices=[job.name for job in JOBS], help="one of benchmarks/small_jobs.py")
    parser.add_argument("--data", type=Path, help="the folder of the data sets, for --job")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        work, config = Path(temporary), given.config
        kind = "text"
        if given.job:
            job = next(job for job in JOBS if job.name == given.job)
            config = work / "config.json"
            keys = {**job.config(given.data.resolve(), work / "models"), **_STEPS}
            config.write_text(json.dumps(keys), encoding="utf-8")
            kind = {"image_classification": "image", "object_detection": "mm"}.get(given.job, "text")
        for module in _MODULES[kind]:
            import_module(module)
        gc.freeze()  # Collections in the runs pass over what was imported: that took longer than all else they do.
        report = disturb(config, work, given.kills, random.Random(given.seed), more)
    print(json.dumps(report, indent=2))
    if report["differing"] or report["failed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
