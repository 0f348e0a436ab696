"""NUM_WORKERS within the cores of the machine."""

from __future__ import annotations

from adapt_core.runtime.cores import loading_processes, usable_cores


def test_no_more_processes_than_cores_load_data() -> None:
    assert usable_cores() >= 1
    assert loading_processes(usable_cores() + 3) == usable_cores()
    assert loading_processes(1) == 1
    assert loading_processes(0) == 0
