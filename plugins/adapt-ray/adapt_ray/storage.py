"""The run folder in a storage too: a folder, or an object store by fsspec."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.run_folder.checkpoints import found, step_of
from adapt_core.run_folder.contents import MANIFEST, listed_files
from adapt_core.run_folder.names import CHECKPOINTS, MARKER
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder

log = logging.getLogger(__name__)

_POLL_INTERVAL = 1.0
"""Seconds."""


@contextmanager
def stored(plan: Plan, url: str) -> Iterator[None]:
    """Keep the run folder of a plan under its name at a URL while the block runs; see `SupportsRunStorage.stored`.

    Raises:
        InputError: the storage holds another run, cannot be read, or does not have at the end what the folder has.
    """
    folder = RunFolder(plan.output_dir)
    storage = _opened(url, folder)
    with _reading(storage, url):
        _enter(storage, plan, folder)
    stop = threading.Event()
    thread = threading.Thread(target=_keep_up, args=(storage, url, stop), daemon=True, name="run-storage")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        # An error of the run's own is the one to show; the checkpoints so far are there.
        with suppress(Exception):
            storage.store_checkpoints()
            storage.store_rest()
    try:
        storage.store_checkpoints()
        storage.store_rest()
    except Exception as error:  # each file system raises its own
        raise InputError(
            f"ray_storage_path {url} could not be written to: {error}. The run is complete in {folder.path}: copy it."
        ) from error


class Storage:
    """A run folder and its copy.

    Args:
        files: a file system of fsspec.
        base: the copy's place in it.
        folder: the run folder.
    """

    def __init__(self, files: Any, base: str, folder: Path) -> None:
        self._files, self._base, self._folder = files, base, folder
        self._stored: set[str] | None = None

    def run(self) -> str | None:
        """Return the id of the run that the storage has, or None."""
        try:
            text = self._files.cat_file(f"{self._base}/{MARKER}")
        except FileNotFoundError:
            return None
        return str(json.loads(text)["run"])

    def clear(self) -> None:
        """Delete what the storage has of a run."""
        self._files.rm(self._base, recursive=True)

    def fetch(self) -> None:
        """Fetch the run, with its newest complete checkpoint, into the run folder."""
        names = {name[len(self._base) + 1 :] for name in self._files.find(self._base)}
        complete = {name.split("/")[1] for name in names if name.startswith(CHECKPOINTS) and name.endswith(MANIFEST)}
        newest = max(complete, key=lambda name: step_of(Path(name)), default=None)
        own = {name for name in names if not name.startswith(f"{CHECKPOINTS}/")}
        own |= {name for name in names if newest and name.startswith(f"{CHECKPOINTS}/{newest}/")}
        scratch = Path(tempfile.mkdtemp(dir=self._folder, prefix=".adapt-run.fetch."))
        try:
            for name in own:
                (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                self._files.get_file(f"{self._base}/{name}", str(scratch / name))
            # The record last: without it the folder has no run.
            for entry in sorted(scratch.iterdir(), key=lambda path: path.name == MARKER):
                os.replace(entry, self._folder / entry.name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def store_checkpoints(self) -> None:
        """Copy complete checkpoints that are not stored yet, and delete those that the run deleted.

        What the storage has of a checkpoint that was deleted while it was copied, or whose copy a killed run left, is
        deleted too.
        """
        if self._stored is None:
            self._stored = self._whole_copies()
        checkpoints = self._folder / CHECKPOINTS
        there = {path.name: path for path in found(checkpoints) if (path / MANIFEST).is_file()}
        for name, path in sorted(there.items(), key=lambda item: step_of(item[1])):
            if name in self._stored:
                continue
            try:
                self._store_checkpoint(path)
            except FileNotFoundError:  # deleted by now
                self._delete(name)
            else:
                self._stored.add(name)
            self.store_rest()
        for name in self._stored - set(there):
            self._delete(name)
            self._stored.discard(name)

    def _whole_copies(self) -> set[str]:
        """Return the names of checkpoints that the storage has as the folder has them; delete all others there."""
        place = f"{self._base}/{CHECKPOINTS}"
        names = {name[len(place) + 1 :].split("/")[0] for name in self._files.find(place)}
        whole = {name for name in names if self._is_whole(name)}
        for name in names - whole:
            self._delete(name)
        return whole

    def _is_whole(self, name: str) -> bool:
        """Return whether the storage has a checkpoint with the folder's own manifest."""
        try:
            own = (self._folder / CHECKPOINTS / name / MANIFEST).read_bytes()
            return bool(self._files.cat_file(f"{self._base}/{CHECKPOINTS}/{name}/{MANIFEST}") == own)
        except FileNotFoundError:
            return False

    def _store_checkpoint(self, checkpoint: Path) -> None:
        """Copy what a checkpoint's manifest lists, the manifest last: without it a copy is incomplete.

        Raises:
            FileNotFoundError: the run deleted it meanwhile.
        """
        names = listed_files(checkpoint)
        if names is None:
            raise FileNotFoundError(checkpoint)
        for name in names:
            self._put(checkpoint / name)

    def _delete(self, name: str) -> None:
        """Delete what the storage has of a checkpoint, the manifest first."""
        place = f"{self._base}/{CHECKPOINTS}/{name}"
        with suppress(FileNotFoundError):
            self._files.rm_file(f"{place}/{MANIFEST}")
        with suppress(FileNotFoundError):
            self._files.rm(place, recursive=True)

    def store_rest(self) -> None:
        """Copy all that the run wrote but its checkpoints."""
        owner = Ownership.read(self._folder)
        if owner is None:
            return
        for name in [*owner.written, MARKER]:
            path = self._folder / name
            if name == CHECKPOINTS or name.startswith(f"{CHECKPOINTS}/"):
                continue
            with suppress(FileNotFoundError):
                for file in [path] if path.is_file() else [inner for inner in path.rglob("*") if inner.is_file()]:
                    self._put(file)

    def _put(self, file: Path) -> None:
        target = f"{self._base}/{file.relative_to(self._folder).as_posix()}"
        self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._files.put_file(str(file), target)


def _opened(url: str, folder: RunFolder) -> Storage:
    import fsspec

    try:
        files, base = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise InputError(f"ray_storage_path {url}: {error} (Give a folder, or a URL that fsspec can open.)") from error
    return Storage(files, f"{base.rstrip('/')}/{folder.path.name}", folder.path)


@contextmanager
def _reading(storage: Storage, url: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # each file system raises its own
        raise InputError(f"ray_storage_path {url} cannot be used: {error} (Check its address and rights.)") from error


def _enter(storage: Storage, plan: Plan, folder: RunFolder) -> None:
    """Fetch the run that is to go on, or make room for a new one."""
    there = storage.run()
    own = Ownership.read(folder.path)
    if there is None or (own is not None and own.run == there):
        return
    if plan.resume == "auto" and own is None:
        storage.fetch()
    elif plan.run.overwrite_output_dir:
        storage.clear()
    else:
        raise InputError(
            f"ray_storage_path has another run named {folder.path.name}. Go on with it (--resume, with an empty "
            "OUTPUT_DIR), replace it (--set OVERWRITE_OUTPUT_DIR=true), or name OUTPUT_DIR otherwise."
        )


def _keep_up(storage: Storage, url: str, stop: threading.Event) -> None:
    """Copy what is new, again and again; what fails is told once, and tried again."""
    told = False
    while not stop.wait(_POLL_INTERVAL):
        try:
            storage.store_checkpoints()
        except Exception as error:  # noqa: BLE001 - each file system raises its own; the end tries again, and says so
            if not told:
                log.warning("ray_storage_path %s cannot be written to now: %s (It is tried again.)", url, error)
            told = True
        else:
            told = False
