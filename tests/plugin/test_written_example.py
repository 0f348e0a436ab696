"""The whole task that docs/plugins.md shows runs as it is written there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import adapt_core
from adapt_core.testing import small_models

pytest.importorskip("transformers")
PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
PACKAGE = "adapt_text_regression"


def test_the_written_task_trains_and_predicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text(encoding="utf-8")
    fences = dict(re.findall(rf'```python title="({PACKAGE}/\w+\.py)"\n(.*?)```\n', page, re.DOTALL))
    assert set(fences) == {f"{PACKAGE}/plugin.py", f"{PACKAGE}/task.py"}
    for name, code in fences.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")
    about = tmp_path / f"{PACKAGE}-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: adapt-text-regression\nVersion: 0\n")
    (about / "entry_points.txt").write_text(f"[adapt]\nregression = {PACKAGE}.plugin\n")
    words = {"awful": -2.0, "poor": -1.0, "good": 1.0, "great": 2.0}
    model = small_models.bert(tmp_path / "model", [f"it was {word}" for word in words])
    rows = [json.dumps({"text": f"it was {word}", "score": score}) for word, score in words.items()]
    (tmp_path / "data.jsonl").write_text("\n".join(rows * 4), encoding="utf-8")
    keys = {"TASK": "text_regression", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(tmp_path / "data.jsonl")}

    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        monkeypatch.delitem(sys.modules, name)  # of another test, and put back afterwards
    monkeypatch.syspath_prepend(tmp_path)
    try:
        result = adapt_core.run({**keys, "EPOCHS": 2, "OUTPUT_DIR": str(tmp_path / "run"), "NUM_WORKERS": 0})
        (found,) = adapt_core.predict(tmp_path / "run", ["it was good"])
        assert sys.modules[f"{PACKAGE}.task"].__file__ == str(tmp_path / PACKAGE / "task.py")
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
    assert result.task == "text_regression"
    assert result.steps == 2
    assert {"rmse", "mae"} <= set(result.metrics["after"])
    assert isinstance(found["score"], float)
