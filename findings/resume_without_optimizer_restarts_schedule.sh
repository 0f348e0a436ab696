#!/usr/bin/env bash
# resume_without_optimizer_restarts_schedule: a checkpoint without optimizer resumes, with the schedule from its start
# packages: transformers==5.24.0 torch==2.15.0 accelerate==1.15.0
# guess: resume_from_checkpoint refuses a checkpoint that save_only_model wrote, as optimizer and schedule are not in
#   it.
# seen: It resumes without an error. The step counter goes on, the optimizer is fresh and the schedule starts over: of
#   eight steps with linear decay, steps 5 to 8 run at the rates of steps 1 to 4, and the rate ends at half where it
#   should be 0.
# matters: The rest of this run trains at two to five times the rate intended, a warm-up would come twice, and the log
#   shows its steps in order. Where disk space is short, keep one full checkpoint for the resume.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from seen import seen
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 40}
ROWS = [{"input_ids": [number, 6, 7], "labels": [number, 6, 7]} for number in range(2, 10)]


def rates(folder, checkpoint=None, *, save_only_model):
    """Return the step and learning rate of each log line of a run."""
    torch.manual_seed(0)
    arguments = TrainingArguments(
        folder,
        max_steps=8,
        per_device_train_batch_size=1,
        learning_rate=0.8,
        save_steps=4,
        save_only_model=save_only_model,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(LlamaForCausalLM(LlamaConfig(**SIZES)), arguments, train_dataset=ROWS)
    trainer.train(resume_from_checkpoint=checkpoint)
    history = trainer.state.log_history
    return [(line["step"], round(float(line["learning_rate"]), 6)) for line in history if "learning_rate" in line][-4:]


straight = rates("full", save_only_model=False)
seen("last steps of a run at one go", straight, [(5, 0.4), (6, 0.3), (7, 0.2), (8, 0.1)])
seen("resumed with the optimizer", rates("full", "full/checkpoint-4", save_only_model=False), straight)

rates("light", save_only_model=True)
resumed = rates("light", "light/checkpoint-4", save_only_model=True)
seen("resumed without it", resumed, [(5, 0.8), (6, 0.7), (7, 0.6), (8, 0.5)])
PY
