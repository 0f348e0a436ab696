"""FSDP over gloo, which shows on a CPU that weights are shared out, saved whole, and train as in one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.result import RunResult

Start = Callable[..., Any]


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


@pytest.mark.parametrize(
    "method", [pytest.param("full", id="full"), pytest.param("LoRA", id="LoRA", marks=pytest.mark.slow)]
)
def test_sharded_training_gives_one_process_s_losses_and_a_whole_model(
    keys: dict[str, Any], start: Start, tmp_path: Path, method: str
) -> None:
    if method != "full":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    run = start({**keys, "DDP": False, "FSDP": True, "method": method}, "--json")
    output, errors = run.process.communicate(timeout=240)
    assert run.process.returncode == 0, errors
    result = RunResult.from_json(output)
    ours = ("DDP", "num_processes", "use_cpu", "collective_timeout")
    plain = {key: value for key, value in keys.items() if key not in ours}
    alone = adapt_core.run(
        {**plain, "BATCH_SIZE": 16, "EVAL_BATCH_SIZE": 8, "OUTPUT_DIR": str(tmp_path / "local"), "method": method}
    )
    folder, other = tmp_path / "run", tmp_path / "local"
    assert losses(folder) == pytest.approx(losses(other), abs=1e-4)
    assert result.metrics["after"] == pytest.approx(alone.metrics["after"], abs=1e-4)
    assert result.learning["verdict"] == "learned"
    assert result.learning["moved_tensors"] == alone.learning["moved_tensors"]
    assert (result.total_parameters, result.trainable_parameters) == (
        alone.total_parameters,
        alone.trainable_parameters,
    )
    assert {path.name for path in (folder / "model").iterdir()} == {path.name for path in (other / "model").iterdir()}
    from safetensors.torch import load_file

    one, two = (load_file(where / "model" / "model.safetensors") for where in (folder, other))
    assert set(one) == set(two)
    assert max(float((one[name] - two[name]).abs().max()) for name in one) <= 1e-4
    shares = sorted((folder / "checkpoints" / "checkpoint-8").glob("*/__*_0.distcp"))
    assert len(shares) >= 2  # each rank wrote its own
    assert adapt_core.predict(folder, ["Can I renew my books?"])
