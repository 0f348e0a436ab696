"""Errors of the environment during a run, as user errors: a full disk, a deleted folder, a killed process."""

from __future__ import annotations

import errno
import re
import shutil
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from adapt_core.errors import InputError
from adapt_core.run_folder.paths import RunFolder

_CAUSES = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EBUSY: "it is in use, or a mount point",
    errno.EXDEV: "it is on another file system",
    errno.EIO: "the device failed to read or write",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "links lead in a circle",
    errno.ESTALE: "the network drive has lost it",
    errno.ENOMEM: "memory is used up",
}
_NUMBER = re.compile(r"os error (\d+)|\[Errno (\d+)\]")
_TORCH_WRITER = ("PytorchStreamWriter failed", "unexpected pos", "iostream error", "basic_ios::clear")
_NO_MEMORY = ("out of memory", "can't allocate memory", "Cannot allocate memory", "not enough memory", "bad_alloc")
_LITTLE = 1 << 20
_WORKER = re.compile(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is killed by signal: (\w[\w ]*)|exited)")


def environment_error(error: BaseException, folder: RunFolder) -> InputError | None:
    """Return what the user is told of an error that neither adapt nor the config is to blame for, or None.

    Args:
        error: what ended a run.
        folder: its run folder, whose checkpoints the message speaks of.
    """
    with _deaf_to_children(error):
        for cause in _reasons(error):
            found = _worker_killed(cause) or _not_written(cause, folder) or _out_of_memory(cause)
            if found:
                return InputError(f"{found} {_what_is_kept(folder)}")
        return None


def machine_error(error: BaseException) -> InputError | None:
    """Return what the user is told of an error outside a run that the machine is to blame for, or None.

    A file that cannot be read or written, no space, no memory, too many open files.
    """
    with _deaf_to_children(error):
        for cause in _reasons(error):
            number = _number(cause)
            if number in _CAUSES:
                named = getattr(cause, "filename", None) or "a file"
                return InputError(f"{named}: {_CAUSES[number]}. Change that, and run the command again.")
            found = _worker_killed(cause) or _out_of_memory(cause)
            if found:
                return InputError(found)
        return None


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised for: its `from`, or an error in whose handling it repeats the text.

    Any other error that was being handled is not the reason: code that deals with a missing file may have a defect.
    """
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        handled = None if seen.__suppress_context__ else seen.__context__
        is_repeated = handled is not None and str(handled) and str(handled) in str(seen)
        seen = seen.__cause__ or (handled if is_repeated else None)


@contextmanager
def _deaf_to_children(error: BaseException) -> Iterator[None]:
    """Keep torch from raising, in the midst of this, that another process of a loader was killed: they die one by one.

    Where the error says so of one, no more is heard: wherever this process is by then, it would be out of place.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        if before is not None and not any(map(_worker_killed, _reasons(error))):
            signal.signal(signal.SIGCHLD, before)


def _worker_killed(error: BaseException) -> str | None:
    match = _WORKER.search(str(error))
    cut_off = isinstance(error, (ConnectionError, EOFError)) and _while_loading(error)
    if match is None and not cut_off:
        return None
    how = f" ({match[1].strip()})" if match is not None and match[1] else ""
    return (
        f"a data-loading process was killed{how} from outside. Where memory was short, lower NUM_WORKERS or "
        "BATCH_SIZE, or give /dev/shm more room."
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out: by Python's, torch's or an allocator's word for it."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's, on any device
    return named or (isinstance(error, RuntimeError) and any(text in str(error) for text in _NO_MEMORY))


def _out_of_memory(error: BaseException) -> str | None:
    if not is_out_of_memory(error):
        return None
    return "memory is used up: lower BATCH_SIZE or NUM_WORKERS, take a smaller model, or free memory."


def _while_loading(error: BaseException) -> bool:
    """Return whether an error was raised while a batch was taken from a data-loading process."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_filename.endswith("torch/utils/data/dataloader.py") for frame, _ in frames)


def _not_written(error: BaseException, folder: RunFolder) -> str | None:
    if not folder.path.is_dir():
        return f"OUTPUT_DIR {folder.path} was deleted while the run was on." if isinstance(error, OSError) else None
    number = _number(error)
    if number is None and any(text in str(error) for text in _TORCH_WRITER):
        full = shutil.disk_usage(folder.path).free < _LITTLE
        number = errno.ENOSPC if full else errno.EIO
    if number not in _CAUSES:
        return None
    named = getattr(error, "filename", None) or folder.path
    return f"{named} cannot be written: {_CAUSES[number]}."


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    match = _NUMBER.search(str(error))
    return int(match[1] or match[2]) if match else None


def _what_is_kept(folder: RunFolder) -> str:
    kept = sorted(folder.checkpoints.glob("checkpoint-*/manifest.json"))
    if not kept:
        return "No checkpoint was written yet: fix this and start again."
    return "Earlier checkpoints are kept: fix this and continue with the same command and --resume."
