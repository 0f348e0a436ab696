"""Checkpoints are written in the background, one at a time, while training goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Write = Callable[[], None]

log = logging.getLogger(__name__)


class BackgroundWriter:
    """Writes the parts of one checkpoint after another in a thread, in the order in which they were added.

    Nothing of a checkpoint counts before its manifest, which is added last: a process that dies meanwhile leaves an
    incomplete one. What is written must not change meanwhile; see `adapt_core.nn.staging`.

    Args:
        enabled: False: `add` writes at once.

    Attributes:
        enabled: see above.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._added: list[Write] = []
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def add(self, write: Write) -> None:
        """Write this at the next `launch`, behind what was added before; at once where not enabled."""
        if self.enabled:
            self._added.append(write)
        else:
            write()

    def launch(self, checkpoint: Path | None = None) -> None:
        """Begin to write what was added.

        Args:
            checkpoint: the folder that it belongs to. Where somebody deletes it meanwhile, that is no failure: as if it
                had been deleted a moment later.
        """
        self.wait()
        writes, self._added = self._added, []
        if writes:
            self._thread = threading.Thread(
                target=self._write, args=(writes, checkpoint), daemon=True, name="checkpoint-writer"
            )
            self._thread.start()

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            Exception: what a write raised.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def check(self) -> None:
        """Do nothing, without waiting, where no write has failed.

        Raises:
            Exception: what a write raised, once.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            self._added = []
            raise failure

    @contextmanager
    def completed(self, *, alone: bool) -> Iterator[None]:
        """Let what is being written be completed where the block fails; not where a second signal ends it at once.

        Args:
            alone: False: other processes may be gone, with which this one writes: nothing is waited for.
        """
        try:
            yield
        except Exception:
            if alone:
                try:
                    self.wait()
                except Exception as error:  # noqa: BLE001 - the block's own is raised
                    log.warning("a checkpoint could not be written: %s", error)
            raise

    def _write(self, writes: list[Write], checkpoint: Path | None) -> None:
        try:
            for write in writes:
                write()
        except (FileNotFoundError, RuntimeError) as error:  # torch raises the latter for a folder that is gone
            if checkpoint is None or checkpoint.exists() or not checkpoint.parent.parent.exists():
                self._failure = error
            else:
                log.warning("%s was deleted while it was written: the run goes on without it.", checkpoint.name)
        except BaseException as error:  # noqa: BLE001 - raised where training looks
            self._failure = error
