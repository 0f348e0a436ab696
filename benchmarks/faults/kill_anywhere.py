"""Kills a run at random moments, resumes it, and holds the end against a run that nobody disturbed.

    python -m benchmarks.faults.kill_anywhere CONFIG --kills 30

Every second kill waits for a checkpoint that is being written (its manifest is not there yet) and kills in the middle
of it. The weights of `model/`, the metrics and every logged training loss must equal the undisturbed run's, bit for
bit. Prints one JSON object; exits with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


def start(config: Path, folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """`adapt run --resume` in a session of its own, so that all its processes can be killed at once."""
    command = [sys.executable, "-m", "adapt_core", "run", str(config), "--resume", "--set", f"OUTPUT_DIR={folder}"]
    return subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=(folder.parent / f"{folder.name}.err").open("ab"),
        start_new_session=True,
    )


def being_written(folder: Path, known: set[Path]) -> bool:
    """Whether a checkpoint that was not there before has begun and has no manifest yet."""
    found = set((folder / "checkpoints").glob("checkpoint-*"))
    return any(path not in known and not (path / MANIFEST).is_file() for path in found)


def kill(process: subprocess.Popen[bytes], folder: Path, wait: float, in_checkpoint: bool) -> str:
    """Kills the run after `wait` seconds, or as soon after as a checkpoint is being written; tells how it ended."""
    known = set((folder / "checkpoints").glob("checkpoint-*"))
    due = time.monotonic() + wait
    while process.poll() is None:
        if in_checkpoint and being_written(folder, known):
            break
        if not in_checkpoint and time.monotonic() >= due:
            break
        time.sleep(0.0005 if in_checkpoint else 0.01)
    if process.poll() is not None:
        return "finished" if process.returncode == 0 else f"exit {process.returncode}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return "killed in a checkpoint" if in_checkpoint else "killed"


def outcome(folder: Path) -> dict[str, Any]:
    """What must be equal: weights by file, metrics, losses by step."""
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


def main() -> None:
    """Kills and resumes until the wanted number of kills is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given, more = parser.parse_known_args()
    choose = random.Random(given.seed)
    report: dict[str, Any] = {"kills": 0, "in_checkpoint": 0, "finished": 0, "equal": 0, "differing": [], "failed": []}
    with tempfile.TemporaryDirectory() as temporary:
        reference = Path(temporary) / "reference"
        began = time.monotonic()
        if start(given.config, reference, more).wait():
            raise SystemExit((Path(temporary) / "reference.err").read_text(encoding="utf-8")[-3000:])
        whole = time.monotonic() - began
        wanted = outcome(reference)
        round_number = 0
        while report["kills"] < given.kills:
            round_number += 1
            folder = Path(temporary) / f"run-{round_number}"
            while True:
                in_checkpoint = report["kills"] < given.kills and report["kills"] % 2 == 1
                wait = choose.uniform(0, whole) if report["kills"] < given.kills else 10 * whole
                ended = kill(start(given.config, folder, more), folder, wait, in_checkpoint)
                if ended.startswith("exit"):
                    report["failed"].append((Path(temporary) / f"{folder.name}.err").read_text()[-1000:])
                    break
                if ended == "finished":
                    report["finished"] += 1
                    found = outcome(folder)
                    same = found == wanted
                    report["equal"] += same
                    if not same:
                        report["differing"].append({key: found[key] != wanted[key] for key in wanted})
                    break
                report["kills"] += 1
                report["in_checkpoint"] += in_checkpoint
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(report, indent=2))
    if report["differing"] or report["failed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
