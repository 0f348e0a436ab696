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


RUN = """
import json, sys
import adapt_core

keys = json.loads(sys.argv[1])
adapt_core.run(keys)
"""

PREDICT = """
import sys
import adapt_core
from adapt_core.errors import InputError

try:
    print("predicted:", adapt_core.predict(sys.argv[1], ["some words"], trust=sys.argv[2] == "trust")[0]["label"])
except InputError as error:
    print("refused:", error)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_on_a_model_with_code_in_two_files_is_used_with_trust_alone(
    model_with_code: Path, tmp_path: Path
) -> None:
    """By `state_dict`, where adapt itself must save the code; each command has a cache of its own, as elsewhere."""
    pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
    marked, model = (model_with_code / "own.py").read_text().split("\n\n\nclass OwnModel")
    (model_with_code / "configuration_own.py").write_text(marked)
    (model_with_code / "own.py").write_text(
        f"from transformers import BertForSequenceClassification\n\nfrom .configuration_own import OwnConfig\n\n\n"
        f"class OwnModel{model}"
    )
    config = json.loads((model_with_code / "config.json").read_text())
    config["auto_map"]["AutoConfig"] = "configuration_own.OwnConfig"
    (model_with_code / "config.json").write_text(json.dumps(config))
    rows = [{"text": f"some words about {label}", "label": label} for label in ("books", "rooms") for _ in range(4)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    keys = {
        "TASK": "text_classification",
        "MODEL_PATH": str(model_with_code),
        "CUSTOM_DATASET_PATH": str(tmp_path / "train.jsonl"),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "TRUST_REMOTE_CODE": True,
        "SAVE_METHOD": "state_dict",
        "DO_EVAL": False,
        "MAX_STEPS": 1,
        "INTERVAL": "no",
        "NUM_WORKERS": 0,
    }

    def done(source: str, cache: str, *arguments: str) -> str:
        environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / cache), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-c", source, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert ended.returncode == 0, ended.stderr[-3000:]
        return ended.stdout

    done(RUN, "of the run", json.dumps(keys))
    (tmp_path / "marker").unlink()
    assert "refused" in done(PREDICT, "without", str(tmp_path / "run"), "no trust")
    assert not (tmp_path / "marker").exists()
    assert "predicted:" in done(PREDICT, "with", str(tmp_path / "run"), "trust")
    assert (tmp_path / "marker").exists()
