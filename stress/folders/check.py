"""What must hold of a run folder after each command: the result that was there, or a new one, is whole."""

from __future__ import annotations

import json
from pathlib import Path

from adapt_core.nn.weights import FILES
from adapt_core.run_folder.names import NAMES
from stress.folders.task import IDENTITY, STEPS

_NOT_COMPARED = ("log.txt", "predictions")

Files = dict[str, bytes]


def files_of(run: Path) -> Files:
    """Return the files in a run folder that make up its result."""
    found: Files = {}
    for name in NAMES:
        path = run / name
        if name not in _NOT_COMPARED and not path.is_symlink():
            inside = [path] if path.is_file() else sorted(path.rglob("*"))
            found |= {str(file.relative_to(run)): file.read_bytes() for file in inside if file.is_file()}
    return found


def is_kept(result: Files, run: Path) -> bool:
    """Return whether each file of a result is in the run folder, or aside until the run that replaces it is done."""
    places = [run, *run.glob(".replaced-*")]
    return all(
        any((place / name).is_file() and (place / name).read_bytes() == content for place in places)
        for name, content in result.items()
    )


def faults_of(run: Path) -> list[str]:
    """Return what is not whole of a finished run: each file is there to its end, and all are of one run."""
    try:
        seed = json.loads((run / "result.json").read_text(encoding="utf-8"))["seed"]
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        faults = {
            "config.yaml": f"seed: {seed}\n" not in (run / "config.yaml").read_text(encoding="utf-8").casefold(),
            "model": (run / "model" / IDENTITY).read_text(encoding="utf-8") != str(seed),
            "weights": not (run / "model" / FILES["state_dict"]).stat().st_size,
            "metrics.jsonl": [line["step"] for line in lines if line["phase"] == "train"] != [*range(1, STEPS + 1)],
            "README.md": f"seed {seed}." not in (run / "README.md").read_text(encoding="utf-8"),
            "report.html": "</html>" not in (run / "report.html").read_text(encoding="utf-8"),
            "evaluation.json": {*json.loads((run / "evaluation.json").read_text(encoding="utf-8"))}
            != {"before", "after"},
        }
    except (OSError, ValueError, KeyError) as error:
        return [f"{type(error).__name__}: {error}"]
    return [name for name, is_wrong in faults.items() if is_wrong]
