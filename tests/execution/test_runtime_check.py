"""How far an export's outputs are from the trained model's: each output by itself, and none that is no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy
import pytest

from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import DefectError
from adapt_core.execution.runtime_check import Reference, ask
from adapt_core.result_records import RuntimeOutcome

PROGRAM = """
import sys, numpy
numpy.savez(sys.argv[3], **numpy.load(sys.argv[1] + "/found.npz"))
"""
CHECK = RuntimeCheck(name="answers", runtime="numpy", program=Path("program.py"))


def array(*rows: list[float]) -> Any:
    return numpy.array(rows, numpy.float32)


LOGITS = array([0.5, -0.25], [0.125, 1.0])
STATES = array([1000.0, 2.0], [-500.0, 4.0])


def asked(folder: Path, outputs: dict[str, Any], found: dict[str, Any], **changes: Any) -> RuntimeOutcome:
    """Ask a program that gives `found` where the trained model computes `outputs`."""
    (folder / "program.py").write_text(PROGRAM)
    numpy.savez(folder / "found.npz", **found)
    source: Any = ExportSource(
        plan=None,  # type: ignore[arg-type]
        task=None,  # type: ignore[arg-type]
        adapter=None,
        inputs_from="random",
        load=lambda: None,  # type: ignore[arg-type, return-value]
        batch=lambda: None,
        save=lambda place: None,
    )
    reference = Reference({"x": numpy.zeros((2, 1), numpy.float32)}, outputs, 1.0, 1)
    return ask(attrs.evolve(CHECK, program=folder / "program.py", **changes), source, folder, reference)


def test_an_output_is_measured_by_its_own_scale_and_not_by_that_of_a_larger_one(tmp_path: Path) -> None:
    outputs = {"encoder_last_hidden_state": STATES, "logits": LOGITS}
    off = LOGITS.copy()
    off[1, 0] += 0.005  # 5e-6 of the largest state, and 5e-3 of the largest logit
    with pytest.raises(DefectError, match=r"logits differs by 0\.005 at row 1, position 0"):
        asked(tmp_path, outputs, {"encoder_last_hidden_state": STATES, "logits": off})
    moved = STATES + array([0.0, 0.0], [0.005, 0.0])
    outcome = asked(tmp_path, outputs, {"encoder_last_hidden_state": moved, "logits": LOGITS})
    assert outcome["worst"]["output"] == "encoder_last_hidden_state"
    assert outcome["relative_difference"] == pytest.approx(5e-6, rel=1e-2)


def test_an_infinite_logit_does_not_make_the_others_close(tmp_path: Path) -> None:
    masked = array([0.5, -numpy.inf], [0.125, 1.0])
    same = asked(tmp_path, {"logits": masked}, {"logits": masked})
    assert (same["max_difference"], same["same_argmax"]) == (0.0, 1.0)
    with pytest.raises(DefectError, match=r"logits differs by 0\.25 at row 1, position 0"):
        asked(tmp_path, {"logits": masked}, {"logits": masked + array([0.0, 0.0], [0.25, 0.0])})


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf])
def test_what_is_no_number_is_refused_even_where_closeness_is_not_promised(tmp_path: Path, value: float) -> None:
    found = array([0.5, -0.25], [value, 1.0])
    with pytest.raises(DefectError, match=r"logits differs by inf at row 1, position 0 \(\w+, trained 0\.125\)\.$"):
        asked(tmp_path, {"logits": LOGITS}, {"logits": found}, tolerance=None)


def test_choices_are_counted_of_logits_alone(tmp_path: Path) -> None:
    outputs = {"encoder_last_hidden_state": STATES, "logits": LOGITS}
    found = {"encoder_last_hidden_state": STATES[:, ::-1].copy(), "logits": LOGITS}
    assert asked(tmp_path, outputs, found, tolerance=None)["same_argmax"] == 1.0
    swapped = array([-0.25, 0.5], [0.125, 1.0])
    assert asked(tmp_path, {"logits": LOGITS}, {"logits": swapped}, tolerance=None)["same_argmax"] == 0.5
    assert asked(tmp_path, {"states": STATES}, {"states": STATES})["same_argmax"] is None
