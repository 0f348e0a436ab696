"""`python -m benchmarks.one_gpu` works before a GPU is there: its dry run trains small models on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = ["the", "wind", "over", "the", "hill", "turns", "the", "old", "mill", "and", "the", "miller", "sleeps"]


@pytest.mark.slow
def test_a_dry_run_compares_the_same_batches_and_meets_no_target(tmp_path: Path) -> None:
    for package in ("peft", "datasets", "adapt_nlp", "adapt_peft_ssf"):
        pytest.importorskip(package)
    for split, count in (("train", 24), ("validation", 4)):
        texts = (" ".join(WORDS[(number + word) % len(WORDS)] for word in range(120)) for number in range(count))
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    wanted = ["--only", "LoRA over transformers", "--only", "plain LoRA", "--only", "QLoRA"]
    command = [
        "-m",
        "benchmarks.one_gpu",
        "--data",
        str(tmp_path),
        "--dry-run",
        "--pairs",
        "0",
        "--steps",
        "2",
        *wanted,
    ]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    card, same, plain = map(json.loads, done.stdout.splitlines())
    assert "card" in card
    assert same["dry_run"]["beside"] == "LoRA over transformers"
    assert same["dry_run"]["greatest_difference_of_losses"] < 1e-4
    assert same["dry_run"]["tokens_per_second"]["median"] > 0
    assert plain["dry_run"]["beside_plain"] == "LoRA"
    assert plain["dry_run"]["greatest_difference"] < 1e-4
    assert "targets" not in done.stdout
