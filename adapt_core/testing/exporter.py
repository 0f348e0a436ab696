"""The contract of an exporter, checked on a finished run that the author gives."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy
import pytest

from adapt_core.contracts import ExportSource
from adapt_core.errors import DefectError
from adapt_core.execution.components import make_exporter
from adapt_core.execution.exports import reference_of, source_of, write_export
from adapt_core.execution.finished_run import FinishedRun
from adapt_core.execution.runtime_check import START, Reference, ask, hidden_packages
from adapt_core.plugin.registry import Registry


@attrs.frozen
class Written:
    """An export of the contract's run: its source, its folder, and what came of asking it."""

    finished: FinishedRun
    source: ExportSource
    folder: Path
    record: Mapping[str, Any]


class ExporterContract:
    """Derive a test class; name the exporter, and give it a fixture `finished_run`, of scope "class" or wider.

    `finished_run` is the folder of a finished run of a task that it serves.

    Attributes:
        name: as it is registered.
        settings: "KEY=VALUE": keys of the exporter.
        asked: whether its export computes something. An adapter alone does not.
    """

    name = ""
    settings: ClassVar[Sequence[str]] = ()
    asked = True

    @pytest.fixture(scope="class")
    @classmethod
    def written(cls, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
        """Return the export of the run."""
        folder = tmp_path_factory.mktemp("export")
        finished = FinishedRun.open_for(finished_run, cls.name, cls.settings)
        (chosen,) = finished.plan.exporters
        exporter = make_exporter(chosen)
        exporter.check(finished.plan)
        source = source_of(finished.plan, finished.task, finished.folder, finished.model, (None, "random"))
        record = write_export(exporter, cls.name, source, folder, reference_of(source))
        return Written(finished, source, folder, record)

    @pytest.fixture
    def reference(self, written: Written) -> Reference:
        """Return what the trained model computes."""
        inputs = written.source.inputs()
        assert inputs is not None, "the task makes up no inputs (SupportsRandomBatch): nothing can be compared"
        return Reference.of(written.source.model(), inputs)

    def test_it_is_registered_and_serves_the_task(self, finished_run: Path) -> None:
        item = Registry.discover().exporters.find(self.name)
        assert item is not None, f"no exporter {self.name!r} is registered: is its distribution installed?"
        assert item.spec.serves(FinishedRun.open(finished_run).plan.task.name)

    def test_it_computes_in_its_runtime_what_the_trained_model_does(self, written: Written) -> None:
        checks = written.record["checks"]
        assert bool(checks) == self.asked
        for outcome in checks:
            if outcome["tolerance"] is not None:
                held = outcome["max_difference"] <= outcome["tolerance"]
                assert held or outcome["relative_difference"] <= outcome["relative_tolerance"]
            assert outcome["bytes"] > 0

    def test_one_row_alone_is_as_good(self, written: Written) -> None:
        inputs = written.source.inputs()
        if not self.asked or inputs is None:
            pytest.skip("it is not asked")
        one = Reference.of(written.source.model(), {name: value[:1] for name, value in inputs.items()})
        for check in self._checks(written):
            assert ask(check, written.source, written.folder, one)["rows"] == 1

    def test_a_drift_is_told_with_its_place(self, written: Written, reference: Reference) -> None:
        promised = [check for check in self._checks(written) if check.tolerance is not None]
        if not promised:
            pytest.skip("it promises no closeness")
        moved = {name: values.copy() for name, values in reference.outputs.items()}
        for values in moved.values():
            values[-1] += 1 + numpy.abs(values).max()
        wrong = attrs.evolve(reference, outputs=moved)
        row = len(next(iter(reference.outputs.values()))) - 1
        with pytest.raises(DefectError, match=f"does not compute what the trained model does.* row {row}"):
            ask(promised[0], written.source, written.folder, wrong)

    def test_it_leaves_the_model_as_it_was(self, written: Written, reference: Reference) -> None:
        (chosen,) = written.finished.plan.exporters
        folder = written.folder.with_name(f"{written.folder.name}-again")
        folder.mkdir()
        make_exporter(chosen).export(written.source, folder)
        inputs = written.source.inputs()
        assert inputs is not None
        again = Reference.of(written.source.model(), inputs)
        assert all(numpy.array_equal(again.outputs[name], values) for name, values in reference.outputs.items())

    def test_its_lines_run_without_adapt(self, written: Written) -> None:
        (chosen,) = written.finished.plan.exporters
        usage = make_exporter(chosen).usage(written.source, ".")
        hidden = hidden_packages(self._checks(written))
        for number, lines in enumerate(re.findall(r"```python[^\n]*\n(.*?)```", usage, re.DOTALL)):
            program = written.folder / f".usage-{number}.py"
            program.write_text(lines, encoding="utf-8")
            command = [sys.executable, "-c", START, ",".join(sorted(hidden)), str(program)]
            done = subprocess.run(command, cwd=written.folder, capture_output=True, text=True, check=False)
            program.unlink()
            assert done.returncode == 0, done.stderr

    def _checks(self, written: Written) -> Sequence[Any]:
        (chosen,) = written.finished.plan.exporters
        return make_exporter(chosen).checks(written.source, written.folder)
