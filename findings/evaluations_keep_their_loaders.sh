#!/usr/bin/env bash
# evaluations_keep_their_loaders: accelerate keeps the data loader of every evaluation, and with it the rows
# packages: transformers==5.24.0 accelerate==1.15.0 datasets==5.2.0 torch==2.15.0
# guess: Trainer.evaluate makes a data loader for its rows and lets it go.
# seen: After five evaluations the accelerator holds five prepared loaders, and the rows of a data set that was evaluated
#   and let go stay in memory behind the next evaluation (4 MB of 4 MB), until those loaders go.
# matters: Memory grows with each evaluation of a long training; who evaluates many data sets, made one after the other,
#   keeps all of them. Cut accelerator._dataloaders back behind each evaluation.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import gc
import tempfile

import pyarrow
import torch
from datasets import Dataset, disable_progress_bars
from seen import seen
from transformers import PrinterCallback, Trainer, TrainingArguments

disable_progress_bars()


class Classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(2, 2)

    def forward(self, x, labels):
        logits = self.head(x)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


def rows(count):
    return Dataset.from_dict({"x": [[0.0, 1.0], [1.0, 0.0]] * count, "labels": [0, 1] * count})


def megabytes():
    gc.collect()
    return round(pyarrow.total_allocated_bytes() / 1e6)


with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, use_cpu=True, report_to=[], disable_tqdm=True, log_level="error", per_device_eval_batch_size=20_000
    )
    trainer = Trainer(Classifier(), arguments, eval_dataset=rows(8))
    trainer.remove_callback(PrinterCallback)
    for _ in range(5):
        trainer.evaluate()
    loaders = trainer.accelerator._dataloaders
    seen("loaders held after five evaluations", len(loaders), 5)
    before = megabytes()
    given = rows(75_000)
    size = megabytes() - before
    trainer.evaluate(given)
    del given
    trainer.evaluate()  # the callbacks hold the latest loader
    seen("MB of rows that were evaluated", size, 4)
    seen("MB of them kept when the data set is let go", megabytes() - before, 4)
    loaders.clear()
    seen("MB of them kept without the loaders", megabytes() - before, 0)
PY
