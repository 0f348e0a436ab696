"""`adapt predict` of texts, and metrics, import no library that they can do without."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import adapt_core

PREDICT = """
import json, sys
import adapt_core
predicted = [adapt_core.predict(folder, ["the red dog"]) for folder in sys.argv[1:]]
heavy = [name for name in ("datasets", "sklearn", "seqeval", "evaluate", "peft") if name in sys.modules]
print(json.dumps({"predicted": predicted, "heavy": heavy}))
"""
RUN = """
import sys
import adapt_core
adapt_core.run(sys.argv[1])
print([name for name in ("sklearn", "seqeval", "evaluate") if name in sys.modules])
"""


def config_of(folder: Path, model: Path, rows: list[dict[str, Any]], **keys: Any) -> Path:
    """Write a config of one step, and its data."""
    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = {
        "TASK": "text_classification",
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(folder),
        "OUTPUT_DIR": str(folder / "run"),
        "MAX_STEPS": 1,
        "NUM_WORKERS": 0,
        **keys,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def test_texts_are_predicted_without_the_libraries_of_data_and_metrics(tiny_encoder: Path, tmp_path: Path) -> None:
    words = [{"tokens": ["the", "red", "dog"], "ner_tags": ["O", "B-COL", "B-ANI"]}] * 8
    texts = [{"text": f"the red dog {number}", "label": "ab"[number % 2]} for number in range(8)]
    classes = config_of(tmp_path / "classes", tiny_encoder, texts)
    entities = config_of(tmp_path / "entities", tiny_encoder, words, subtask="ner")
    adapt_core.run(classes)
    done = run([sys.executable, "-c", RUN, entities], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    folders = [str(config.parent / "run") for config in (classes, entities)]
    done = run([sys.executable, "-c", PREDICT, *folders], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["heavy"] == []
    assert found["predicted"] == [adapt_core.predict(folder, ["the red dog"]) for folder in folders]
