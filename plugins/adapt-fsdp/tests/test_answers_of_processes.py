"""Rows that evaluations answer, in two processes: the texts and scores of one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from . import jobs

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

Keys = dict[str, Any]
WRITTEN = ("exact_match", "token_f1", "rougeL", "chrf")


@pytest.fixture
def keys(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> Keys:
    """A Llama that learns the labels of texts, and answers 11 rows in each evaluation."""
    for name in ("train", "validation"):
        rows = [json.loads(line) for line in (inbox / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        pairs = [{"prompt": row["text"][:60], "completion": f" {row['label']}"} for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return {
        **jobs.in_two_processes(tiny_encoder, inbox, tmp_path),
        **jobs.text_generation(tmp_path, inbox),
        "CUSTOM_DATASET_PATH": str(tmp_path),
        "GENERATE_IN_EVALUATION": 11,
        "max_new_tokens": 8,
        "EVAL_BATCH_SIZE": 2,
        "METRICS": ["json_valid"],
        "EPOCHS": 1,
    }


FSDP = {"DDP": False, "FSDP": True}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="DDP"),
        pytest.param({"temperature": 1.0}, id="DDP, sampled", marks=pytest.mark.slow),
        pytest.param(FSDP, id="FSDP", marks=pytest.mark.slow),
        pytest.param({**FSDP, "packing": True}, id="FSDP, packed", marks=pytest.mark.slow),
    ],
)
def test_two_processes_write_what_one_writes(keys: Keys, tmp_path: Path, changes: Keys) -> None:
    together: Any = adapt_core.run({**keys, **changes})
    of_one = {"DDP": False, "BATCH_SIZE": 16, "OUTPUT_DIR": str(tmp_path / "one")}
    alone = {name: value for name, value in changes.items() if name != "FSDP"}
    no_launcher = dict.fromkeys(("num_processes", "use_cpu", "collective_timeout"))
    one: Any = adapt_core.run({**keys, **alone, **of_one, **no_launcher})
    of_two, of_one_process = (
        json.loads((tmp_path / name / "evaluation.json").read_text(encoding="utf-8"))["before"]["samples"]
        for name in ("run", "one")
    )
    assert of_two == of_one_process
    assert len({sample["predicted"] for sample in of_two}) > 1
    for moment in ("before", "after"):
        for name in (*WRITTEN, "json_valid"):
            assert together.metrics[moment][name] == pytest.approx(one.metrics[moment][name], abs=0.02)
