"""BATCH_SIZE: auto: memory decides how many rows the model sees at a time, and each step learns from the same rows."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import adapt_core
from adapt_core import api
from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.estimate import batch_size as fitting
from adapt_core.estimate.estimate import foretold_memory
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.checkpoints import newest_complete

Run = Callable[..., Any]
AUTO = {
    "BATCH_SIZE": "auto",
    "DO_EVAL": False,
    "EPOCHS": 2,
    "INTERVAL": "epoch",
    "NO_OF_CHECKPOINTS": 9,
    "OPTIMIZER": "sgd",
}
ROWS = 16


def folder_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def stored(folder: Path) -> tuple[int, int]:
    keys = adapt_core.check(folder / "config.yaml").training
    return keys.batch_size, keys.gradient_accumulation_steps


def bytes_with(keys: dict[str, Any], rows: int) -> int:
    """What a run with as many rows at a time is foretold to hold."""
    plan = adapt_core.check({**keys, "BATCH_SIZE": rows, "GRADIENT_ACCUMULATION_STEPS": ROWS // rows})
    memory = foretold_memory(plan, Registry.discover(), "cpu")
    assert memory is not None
    return memory.total


@pytest.fixture
def room_for(keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Leaves memory for so many rows at a time, and not for more."""

    def leave(rows: int) -> None:
        free = int(bytes_with(keys, rows) / fitting.SHARE) + 1
        monkeypatch.setattr(fitting, "_free", lambda device: (0, free))

    return leave


def test_all_rows_of_a_step_at_a_time_where_memory_allows(run: Run, tmp_path: Path, keys: dict[str, Any]) -> None:
    found = api.estimate(adapt_core.check({**keys, **AUTO, "GRADIENT_ACCUMULATION_STEPS": 2}))
    assert found.batch_size is not None
    assert found.batch_size.startswith("BATCH_SIZE auto: 32 at a time: about ")
    run(**AUTO, OUTPUT_DIR=str(tmp_path / "auto"))
    assert stored(tmp_path / "auto") == (ROWS, 1)
    assert "BATCH_SIZE auto: 16 at a time: about " in (tmp_path / "auto" / "log.txt").read_text()


def test_fewer_rows_at_a_time_learn_the_same(run: Run, tmp_path: Path, room_for: Callable[[int], None]) -> None:
    room_for(5)
    run(**AUTO, OUTPUT_DIR=str(tmp_path / "auto"))
    assert stored(tmp_path / "auto") == (4, 4)  # the largest that divides the rows of a step
    fitted = folder_weights(tmp_path / "auto")
    run(**{**AUTO, "BATCH_SIZE": 4, "GRADIENT_ACCUMULATION_STEPS": 4}, OUTPUT_DIR=str(tmp_path / "given"))
    run(**{**AUTO, "BATCH_SIZE": ROWS}, OUTPUT_DIR=str(tmp_path / "whole"))
    given, whole = folder_weights(tmp_path / "given"), folder_weights(tmp_path / "whole")
    assert all(torch.equal(fitted[name], given[name]) for name in given)
    assert all(torch.allclose(fitted[name], whole[name], rtol=1e-4, atol=1e-6) for name in whole)


def test_where_not_even_one_row_fits_nothing_is_written(run: Run, tmp_path: Path, room_for: Callable[[int], None],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(fitting, "_free", lambda device: (0, 1000))
    with pytest.raises(InputError, match=r"BATCH_SIZE auto: with one row at a time about .* are needed, and 1000"):
        run(**AUTO, OUTPUT_DIR=str(tmp_path / "auto"))
    assert not (tmp_path / "auto").exists()


def test_a_resumed_run_keeps_the_batch_size_it_began_with(
    run: Run, tmp_path: Path, room_for: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    room_for(5)
    with pytest.raises(InterruptedRunError):
        run(**AUTO, STOP_AFTER="3 steps", OUTPUT_DIR=str(tmp_path / "auto"))
    monkeypatch.setattr(fitting, "_free", lambda device: pytest.fail("the stored batch size stands"))
    run(resume=True, **AUTO, OUTPUT_DIR=str(tmp_path / "auto"))
    assert stored(tmp_path / "auto") == (4, 4)


def test_where_memory_runs_out_all_the_same_it_goes_on_with_half(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device whose memory ends in the second epoch: what the first one's checkpoint holds is kept."""
    from transformers.models.bert.modeling_bert import BertEncoder

    forward = BertEncoder.forward
    checkpoints = tmp_path / "auto" / "checkpoints"

    def limited(self: Any, hidden: torch.Tensor, *further: Any, **options: Any) -> Any:
        if self.training and len(hidden) > 8 and newest_complete(checkpoints) is not None:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, hidden, *further, **options)

    run(**{**AUTO, "BATCH_SIZE": ROWS}, OUTPUT_DIR=str(tmp_path / "whole"))
    epoch = json.loads((tmp_path / "whole" / "result.json").read_text())["steps"] // 2
    monkeypatch.setattr(BertEncoder, "forward", limited)
    with caplog.at_level(logging.WARNING):
        result = run(**AUTO, OUTPUT_DIR=str(tmp_path / "auto"))
    assert "out of memory at step" in caplog.text
    assert "The run goes on with BATCH_SIZE 8." in caplog.text
    assert stored(tmp_path / "auto") == (8, 2)
    assert f"resuming from {checkpoints / f'checkpoint-{epoch}'}" in (tmp_path / "auto" / "log.txt").read_text()
    halved, whole = folder_weights(tmp_path / "auto"), folder_weights(tmp_path / "whole")
    assert result.steps == 2 * epoch
    assert all(torch.allclose(halved[name], whole[name], rtol=1e-4, atol=1e-6) for name in whole)


def test_with_a_number_memory_that_runs_out_ends_the_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                        ) -> None:  # fmt: skip
    from transformers.models.bert.modeling_bert import BertEncoder

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(BertEncoder, "forward", full)
    with pytest.raises(InputError, match="out of memory at step 0: lower BATCH_SIZE"):
        run(**{**AUTO, "BATCH_SIZE": 8}, OUTPUT_DIR=str(tmp_path / "given"))
