"""How soon commands tell what they are asked for: CPU time, in seconds or over a plain script of the same work.

    python -m benchmarks.first_results --data ../shared/data [--pairs 5]

Prints one JSON object:

- check: seconds of `adapt check` until it tells a wrong column, for each task and kind of file, tables of more than
  4 MB among them; and until it tells a folder or a file that is not there, for images (the target: 3).
- doctor: seconds of `adapt doctor` (the target: 2).
- predict: `adapt predict RUN TEXT` over a script that loads the run's model and tokenizer with transformers and
  classifies the text (the target: 1.1).
- first step: a second run on the same data, from the start of the process to its first training step, over a process
  that imports torch, datasets and transformers' Trainer and loads model and tokenizer (the target: 1.1). The run
  evaluates eight rows before it trains; the first run tokenized the data.

CPU time, in user and system mode, of whole processes with one thread each, interleaved; median, least and most.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import minilm
from benchmarks.pairs import cpu_seconds, spread
from benchmarks.targets import with_targets

ADAPT = [sys.executable, "-m", "adapt_core"]
TEXT = "Shares of the bank fell on Monday."
LOADED = """
import sys
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
"""
PLAIN_PREDICT = f"""
import torch
{LOADED}
with torch.inference_mode():
    scores = model.eval()(**tokenizer([sys.argv[2]], truncation=True, return_tensors="pt")).logits.softmax(-1)[0]
print(model.config.id2label[int(scores.argmax())], float(scores.max()))
"""
BARE = f"""
import datasets, torch
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments
{LOADED}
import os
os._exit(0)  # as the run, which is ended at its first step
"""
UNTIL_FIRST_STEP = """
import os, runpy, sys
from adapt_core.execution.pipeline import Run

train = Run.train

def watched(run, loop):
    loop.trainer.training_step = lambda *_: os._exit(0)
    return train(run, loop)

Run.train = watched
sys.argv = ["adapt", "run", sys.argv[1], "--set", f"OUTPUT_DIR={sys.argv[2]}-{os.getpid()}"]
runpy.run_module("adapt_core", run_name="__main__")
"""


def large_tables(folder: Path, data: Path) -> dict[str, Path]:
    """Write ag_news ten times over as csv, jsonl, json and parquet: 5 to 6 MB each but for parquet."""
    from pyarrow import Table, parquet

    with (data / "ag_news" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file)) * 10
    places = {name: folder / name for name in ("csv", "jsonl", "json", "parquet")}
    for place in places.values():
        place.mkdir()
    with (places["csv"] / "train.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (places["jsonl"] / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (places["json"] / "train.json").write_text(json.dumps(rows), encoding="utf-8")
    parquet.write_table(Table.from_pylist(rows), places["parquet"] / "train.parquet")
    return places


def wrong_configs(folder: Path, data: Path) -> dict[str, dict[str, Any]]:
    """Return configs that name a column, a folder or a file that is not there."""
    tables = large_tables(folder, data)
    classes = {"TASK": "text_classification", "input_column": "txet"}
    coco = {"CUSTOM_DATASET_PATH": str(data / "bccd_coco"), "train_ann_file": "annotations/none.json"}
    sets = {
        "ner": ("wnut17", {"TASK": "text_classification", "subtask": "ner", "input_column": "wrods"}),
        "question_answering": ("xquad_en", {"TASK": "question_answering", "input_column": "contxt"}),
        "summarization": ("scitldr", {"TASK": "summarization", "input_column": "documnt"}),
        "translation": ("multi30k_en_de", {"TASK": "translation", "source_lang": "en", "target_lang": "fr"}),
        "text_generation": ("alpaca_demo", {"TASK": "text_generation", "input_column": "txt"}),
        "image_classification": ("hymenoptera", {"TASK": "image_classification", "TRAIN_DIR": "trian"}),
    }
    return {
        **{f"classes, {kind}": {**classes, "CUSTOM_DATASET_PATH": str(place)} for kind, place in tables.items()},
        **{name: {**keys, "CUSTOM_DATASET_PATH": str(data / place)} for name, (place, keys) in sets.items()},
        "object_detection": {"TASK": "object_detection", "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", **coco},
    }


def check(folder: Path, data: Path, times: int) -> dict[str, Any]:
    """Return the seconds of `adapt check` for each wrong config."""
    found = {}
    for name, keys in wrong_configs(folder, data).items():
        config = folder / "wrong.json"
        config.write_text(json.dumps({"MODEL_PATH": minilm(), "OUTPUT_DIR": str(folder / "none"), **keys}))
        command = [*ADAPT, "check", str(config)]
        found[name] = spread([cpu_seconds(command, exit_code=2) for _ in range(times)])
    return found


def compared(ours: Sequence[str], plain: Sequence[str], pairs: int) -> Mapping[str, float]:
    """Return the CPU time of a command over that of another, after one pair that warms the file system."""
    cpu_seconds(ours), cpu_seconds(plain)
    return spread([cpu_seconds(ours) / cpu_seconds(plain) for _ in range(pairs)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
        config = folder / "config.json"
        keys = {
            "TASK": "text_classification",
            "MODEL_PATH": minilm(),
            "CUSTOM_DATASET_PATH": str(given.data.resolve() / "ag_news"),
            "OUTPUT_DIR": str(folder / "run"),
            "MAX_TRAIN_SAMPLES": 32,
            "MAX_EVAL_SAMPLES": 8,
            "BATCH_SIZE": 8,
            "EPOCHS": 1,
            "NUM_WORKERS": 0,
            "SAVE_METHOD": "save_pretrained",
        }
        config.write_text(json.dumps(keys), encoding="utf-8")
        cpu_seconds([*ADAPT, "run", str(config)])
        model = str(folder / "run" / "model")
        second = [sys.executable, "-c", UNTIL_FIRST_STEP, str(config), str(folder / "second")]
        report = {
            "check, seconds": check(folder, given.data.resolve(), given.pairs),
            "doctor, seconds": spread([cpu_seconds([*ADAPT, "doctor"]) for _ in range(given.pairs)]),
            "predict over plain": compared(
                [*ADAPT, "predict", str(folder / "run"), TEXT],
                [sys.executable, "-c", PLAIN_PREDICT, model, TEXT],
                given.pairs,
            ),
            "first step over imports and loading": compared(
                second, [sys.executable, "-c", BARE, minilm()], given.pairs
            ),
        }
    print(json.dumps(with_targets("first_results", {"pairs": given.pairs, **report}), indent=2))


if __name__ == "__main__":
    main()
