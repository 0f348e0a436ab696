#!/usr/bin/env bash
# checkpoint_rotation_deletes_by_prefix: save_total_limit deletes folders that the Trainer never wrote
# packages: transformers==5.24.0 torch==2.15.0 accelerate==1.15.0
# guess: Only folders named checkpoint-NUMBER take part in the rotation; checkpoint-best is the user's and stays.
# seen: Every folder whose name starts with "checkpoint-" is deleted, also checkpoint-best, checkpoint-7-copy, and
#   checkpoints of a longer run with higher numbers. A folder of another name stays.
# matters: A copy of the best checkpoint that was put beside the others for safety is gone after the next save.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import os
import time
from pathlib import Path

from seen import seen
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

output = Path("run")
for name in ("checkpoint-best", "checkpoint-7-copy", "checkpoint-900", "best-checkpoint-7"):
    (output / name).mkdir(parents=True)
    (output / name / "notes.txt").write_text("kept by hand", encoding="utf-8")
    os.utime(output / name, (time.time() - 3600,) * 2)  # Folders of one second are sorted by number, not by age.

sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 40}
rows = [{"input_ids": [5, 6, 7], "labels": [5, 6, 7]}] * 3
arguments = TrainingArguments(
    str(output),
    max_steps=3,
    per_device_train_batch_size=1,
    save_steps=1,
    save_total_limit=2,
    report_to=[],
    use_cpu=True,
    disable_tqdm=True,
)
Trainer(LlamaForCausalLM(LlamaConfig(**sizes)), arguments, train_dataset=rows).train()
left = sorted(path.name for path in output.iterdir() if path.is_dir())
seen("folders left", left, ["best-checkpoint-7", "checkpoint-2", "checkpoint-3"])
PY
