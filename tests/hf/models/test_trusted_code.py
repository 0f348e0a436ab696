"""Code that comes with a model runs only where the caller trusts it: no question is asked of a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

CODE = """
from pathlib import Path
from transformers import BertConfig, BertForSequenceClassification

(Path(__file__).parent / "ran").touch()
Path({marker!r}).touch()


class OwnConfig(BertConfig):
    model_type = "own-bert"


class OwnModel(BertForSequenceClassification):
    config_class = OwnConfig
"""

LOAD = """
import sys
from pathlib import Path
from transformers import AutoModelForSequenceClassification
from adapt_core.errors import InputError
from adapt_core.hf.models.save_formats import load_hf_model

try:
    print(type(load_hf_model(AutoModelForSequenceClassification, Path(sys.argv[1]), trust=sys.argv[2] == "trust")))
except InputError as error:
    print("refused:", error)
"""


@pytest.fixture
def model_with_code(tmp_path: Path) -> Path:
    """A saved model whose config names a class in a file next to it, which leaves a marker when it is imported."""
    from adapt_core.testing import small_models

    folder = small_models.bert(tmp_path / "model", ["some words to learn from"])
    (folder / "own.py").write_text(CODE.format(marker=str(tmp_path / "marker")))
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForSequenceClassification": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own-bert", "auto_map": names}))
    return folder


@pytest.mark.parametrize("trust", ["trust", "no trust"])
def test_a_yes_on_standard_input_answers_nothing(model_with_code: Path, tmp_path: Path, trust: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(model_with_code), trust],
        input="y\n" * 5,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "marker").exists() == (trust == "trust")
    assert ("OwnModel" in done.stdout) == (trust == "trust")
    assert ("refused" in done.stdout and "TRUST_REMOTE_CODE" in done.stdout) == (trust != "trust")
