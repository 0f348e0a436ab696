"""What half precision costs on this machine's processor, measured."""

from __future__ import annotations

import os
import sys
from subprocess import Popen

import pytest
import torch

from adapt_core.distributed import processor
from adapt_core.distributed.processor import half_precision_cost, slow_half_precision


def test_the_verdict_is_the_same_while_every_core_works() -> None:
    """Threads that wait for one another would make float32 slow, and half precision seem fast."""
    quiet = half_precision_cost.__wrapped__("bfloat16") > processor._SLOW
    threads = torch.get_num_threads()
    work = [Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        torch.set_num_threads(max(2, threads))
        busy = {half_precision_cost.__wrapped__("bfloat16") > processor._SLOW for _ in range(5)}
        assert torch.get_num_threads() == max(2, threads)
    finally:
        torch.set_num_threads(threads)
        for process in work:
            process.kill()
            process.wait()
    assert busy == {quiet}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_type_is_slow_above_the_threshold_alone(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = half_precision_cost(dtype)
    assert cost > 0
    monkeypatch.setattr(processor, "_SLOW", cost * 2)
    assert slow_half_precision(dtype, "cpu") is None
    monkeypatch.setattr(processor, "_SLOW", cost / 2)
    assert slow_half_precision(dtype, "cpu") == cost


@pytest.mark.parametrize(("dtype", "device"), [("float32", "cpu"), (None, "cpu"), ("bfloat16", "cuda:0")])
def test_only_half_precision_on_a_cpu_is_measured(
    dtype: str | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "_SLOW", 0)
    assert slow_half_precision(dtype, device) is None
