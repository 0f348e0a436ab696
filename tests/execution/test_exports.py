"""EXPORT: an exporter that breaks costs its own export, and neither the run nor the exports beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.execution.exports import Exports, export_chosen, source_of
from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.params import NoParams
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.paths import RunFolder

from .. import fakes
from ..config.resolving import plan


class Note:
    """Writes a file, and has nothing to be asked."""

    def __init__(self, params: NoParams) -> None: ...

    def check(self, plan: Any) -> None:
        """Check nothing."""

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write a note."""
        (folder / "note.txt").write_text("written")

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return none."""
        return []

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return a line."""
        return f"Read {folder}/note.txt."


class Raising(Note):
    """Raises in the middle what a library raises."""

    error: BaseException = RuntimeError("Sizes of tensors must match\nand more of it")

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write half of it."""
        super().export(source, folder)
        raise self.error


class Interrupted(Raising):
    """Is asked to stop."""

    error = InterruptedRunError("SIGTERM")


class WithoutUsage(Note):
    """Breaks when its export is there already."""

    def usage(self, source: ExportSource, folder: str) -> str:
        """Raise for a run's card alone."""
        if folder == ".":
            return ""
        raise KeyError("chat_template")


class Merging(Note):
    """Needs the plain model."""

    def export(self, source: ExportSource, folder: Path) -> None:
        """Load it."""
        source.model()


IMPLEMENTATIONS = {
    "note": Note,
    "raising": Raising,
    "interrupted": Interrupted,
    "without_usage": WithoutUsage,
    "merging": Merging,
    "merging_too": Merging,
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The exporters of this module."""
    specs = [
        ExporterSpec(name=name, summary=f"a form {name}", implementation=f"{__name__}:{kind.__name__}", params=NoParams)
        for name, kind in IMPLEMENTATIONS.items()
    ]
    return fakes.registry(adapt_tasks=[fakes.task("words")], adapt_exporters=specs)


def exported(registry: Registry, folder: Path, names: str, load: Any = lambda: nn.Linear(2, 1)) -> Exports:
    """Export a model by these exporters into a run folder."""
    (folder / "run").mkdir()
    run = RunFolder(folder / "run")
    chosen = plan(f"EXPORT: [{names}]\n", registry)
    task: Any = object()
    return export_chosen(source_of(chosen, task, run, load, ({"x": torch.ones(1, 2)}, "validation")), run)


def test_what_an_exporter_raises_is_told_and_the_others_are_written(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = exported(registry, tmp_path, "raising, without_usage, note")
    assert done.failures == [
        "the export to raising failed: RuntimeError: Sizes of tensors must match",
        "the export to without_usage failed: KeyError: 'chat_template'",
    ]
    assert done.records["raising"]["folder"] is None
    assert done.artifacts == {"export note": "exports/note"}
    assert done.usage == {"note": "Read exports/note/note.txt."}
    assert [path.name for path in (tmp_path / "run" / "exports").iterdir()] == ["note"]
    assert "and more of it" in caplog.text
    assert "in export" in caplog.text


def test_an_interruption_is_none_of_an_exporter_s_failures(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        exported(registry, tmp_path, "interrupted, note")
    assert not (tmp_path / "run" / "exports").exists()


@pytest.mark.parametrize("error", [InputError("it cannot be merged"), RuntimeError("it broke")])
def test_a_merge_that_fails_is_not_tried_again_on_what_it_left(
    registry: Registry, tmp_path: Path, error: Exception
) -> None:
    tried = []

    def load() -> nn.Module:
        tried.append(1)
        raise error

    done = exported(registry, tmp_path, "merging, merging_too", load)
    assert len(tried) == 1
    assert [str(error) in (record["failed"] or "") for record in done.records.values()] == [True, True]
