"""`result.json` of this version and of earlier ones."""

from __future__ import annotations

from pathlib import Path

from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder

BEFORE_THE_TRAINING_CHECK = """{
  "status": "finished",
  "task": "text_classification",
  "method": "LoRA",
  "quantization": null,
  "launcher": "local",
  "total_parameters": 4386434,
  "trainable_parameters": 10498,
  "metrics": {"before": {"loss": 0.69, "accuracy": 0.5}, "after": {"loss": 0.41, "accuracy": 0.84}, "test": null},
  "train_seconds": 12.5,
  "samples_per_second": 310.2,
  "peak_memory_bytes": 812000000,
  "steps": 30,
  "artifacts": {"adapter": "adapter", "model": "model"},
  "learning": {
    "verdict": "learned",
    "steps": 30,
    "trained_tensors": 6,
    "moved_tensors": 6,
    "still_tensors": [],
    "frozen_tensors": 39,
    "frozen_changed": 0
  },
  "data": {"train": {"rows": 480}},
  "versions": {"python": "3.11.7", "torch": "2.9.1"},
  "seed": 42,
  "config_sha256": "0f3a",
  "output_dir": "/runs/inbox",
  "artifact_bytes": {"adapter": 43210},
  "merge": null
}
"""


def test_a_folder_from_before_the_training_check_had_its_name_still_opens(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.result.write_text(BEFORE_THE_TRAINING_CHECK, encoding="utf-8")
    finished = folder.finished()
    assert finished is not None
    assert finished.training_check["verdict"] == "learned"
    assert finished.training_check["moved_tensors"] == 6
    assert '"training_check"' in finished.to_json()
    assert '"learning"' not in finished.to_json()


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    text = BEFORE_THE_TRAINING_CHECK.replace('"seed": 42', '"seed": 42, "of_a_later_version": 1')
    assert RunResult.from_json(text) == RunResult.from_json(BEFORE_THE_TRAINING_CHECK)
