"""What a user does with a model or run folder from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import adapt_core
from adapt_core.errors import InputError
from stress.hostile_folders.subjects import Subject


class NotApplicableError(Exception):
    """A folder that a command does not take, whatever is planted in it."""


def predict(run: Path, subject: Subject, trust: bool) -> None:
    """Predict with the run."""
    adapt_core.predict(run, subject.inputs, trust=trust)


def export(run: Path, subject: Subject, trust: bool) -> None:
    """Write its model in another form."""
    adapt_core.export(run, "safetensors", run.parent / "exported", trust=trust)


def compare(run: Path, subject: Subject, trust: bool) -> None:
    """Put the run beside the one that it was made of."""
    from adapt_core.report import comparison

    comparison.compare([run, subject.run], lambda task: None)


def resume(run: Path, subject: Subject, trust: bool) -> None:
    """Go on from its first checkpoint, by a config of one's own."""
    (run / "result.json").unlink(missing_ok=True)
    shutil.rmtree(run / "checkpoints" / "checkpoint-2", ignore_errors=True)
    adapt_core.run({**subject.keys, "OUTPUT_DIR": str(run), "TRUST_REMOTE_CODE": trust}, resume=True)


def base(run: Path, subject: Subject, trust: bool) -> None:
    """Train its model further, by a config of one's own."""
    if not (run / "model").is_dir():
        raise NotApplicableError
    model = run / "model"
    keys = {**subject.keys, "MODEL_PATH": str(model), "TRUST_REMOTE_CODE": trust, "INTERVAL": "no", "MAX_STEPS": 1}
    keys.pop("cfg_options", None)
    adapt_core.run({**keys, "OUTPUT_DIR": str(run.parent / "next")})


COMMANDS: dict[str, Callable[[Path, Subject, bool], None]] = {
    "predict": predict,
    "export": export,
    "compare": compare,
    "resume": resume,
    "base": base,
}


def outcome(command: str, run: Path, subject: Subject, marker: Path, *, trust: bool = False) -> tuple[str, str]:
    """Run a command on a hostile folder.

    Returns:
        "fired" (the marker is there), "refused" and the message, "harmless", or "defect" and the error; "" where the
        folder is nothing for the command.
    """
    try:
        COMMANDS[command](run, subject, trust)
    except NotApplicableError:
        return "", ""
    except InputError as error:
        state, text = "refused", str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        state, text = "defect", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    else:
        state, text = "harmless", ""
    return ("fired", text) if marker.exists() else (state, text)
