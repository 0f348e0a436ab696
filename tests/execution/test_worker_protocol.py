"""How a process of a run ends, as its launcher reads it."""

from __future__ import annotations

import pytest

from adapt_core.errors import DefectError, InputError, InterruptedRunError, RegroupError
from adapt_core.execution.worker_protocol import Report


@pytest.mark.parametrize(
    ("report", "failed", "exit_code"),
    [
        (Report(result="{}"), False, 0),
        (Report(), False, 0),
        (Report.of_error(InputError("give rows")), True, 2),
        (Report.of_error(DefectError("a promise")), True, 1),
        (Report.of_error(ZeroDivisionError("division")), True, 1),
        (Report.of_error(InterruptedRunError("stopped at step 3")), False, 130),
        (Report.of_error(RegroupError("a machine joins at step 3")), False, 130),
        (Report(interrupted="Ctrl-C"), True, 130),
    ],
)
def test_what_a_report_means(report: Report, failed: bool, exit_code: int) -> None:
    again = Report.from_line(report.to_line())
    assert again == report
    assert (again.failed, again.exit_code) == (failed, exit_code)


def test_a_broken_connection_follows_from_another_process_s_failure() -> None:
    broken = Report.of_error(
        RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:59072")
    )
    assert broken.failed
    assert not broken.is_cause
    assert Report.of_error(RuntimeError("shapes do not fit")).is_cause


def test_a_failure_is_raised_with_its_rank_and_by_whose_fault_it_is() -> None:
    asked = Report.of_error(InputError("train row 2 has no text. Give one.")).as_error(1)
    assert type(asked) is InputError
    assert str(asked) == "rank 1: train row 2 has no text. Give one."
    broken = Report.of_error(ZeroDivisionError("division")).as_error(0)
    assert type(broken) is DefectError
    assert str(broken) == "rank 0: ZeroDivisionError: division (log.txt has the traceback)"
    assert "ZeroDivisionError" in broken.__notes__[0]
