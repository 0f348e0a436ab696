"""A newcomer: `adapt run` with EXPORT, then predictions by the card's lines alone, in places where adapt is not.

Minutes, and a package index is needed: `pytest -m wheels`. The packages are those that the card names.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from ..environments import Environment, done

pytestmark = [pytest.mark.wheels, pytest.mark.timeout(1800)]


@attrs.frozen
class Lines:
    """What a card says of an export.

    Attributes:
        packages: those of its `pip install`.
        python: its lines of Python.
    """

    packages: Sequence[str]
    python: str

    @classmethod
    def of(cls, card: str) -> Lines:
        """Returns the first of each in a text."""
        packages = re.findall(r"^pip install (.+)$", card, re.MULTILINE)[0].split()
        return cls(packages, re.findall(r"```python\n(.*?)```", card, re.DOTALL)[0])

    def about(self, example: str, given: str) -> str:
        """Returns the lines with another text in the place of their example."""
        assert self.python.count(repr(example)) + self.python.count(json.dumps(example)) == 1
        return self.python.replace(repr(example), repr(given)).replace(json.dumps(example), repr(given))


@pytest.fixture(scope="module")
def adapt(uv: str, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with adapt and its exporters, as a user installs them."""
    names = ("adapt-core", "adapt-nlp", "adapt-peft-ssf", "adapt-onnx", "adapt-gguf")
    return Environment(uv, tmp_path_factory.mktemp("env") / "adapt", wheels, *names)


@pytest.fixture
def bare(uv: str, wheels: Path, tmp_path: Path) -> Any:
    """Makes an environment with nothing but what a card names, and what that needs."""

    def made(*packages: str) -> Environment:
        environment = Environment(uv, tmp_path / "bare", wheels, *packages)
        assert not {name for name in environment.packages() if name.startswith("adapt-")}
        return environment

    return made


def run(adapt: Environment, folder: Path, **keys: Any) -> Path:
    """Returns the folder of a finished run with these keys."""
    config = folder / "c.yaml"
    config.write_text(json.dumps({**keys, "OUTPUT_DIR": "run", "NUM_WORKERS": 0}), encoding="utf-8")
    finished = adapt.adapt("run", config, "--json", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    for name, export in json.loads(finished.stdout)["exports"].items():
        assert export["failed"] is None, name
    return folder / "run"


def predicted(adapt: Environment, folder: Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Returns what `adapt predict` gives."""
    finished = adapt.adapt("predict", folder, *texts, "--json", cwd=folder.parent)
    assert finished.returncode == 0, finished.stderr
    rows: list[dict[str, Any]] = json.loads(finished.stdout)
    return rows


def test_onnx_gives_the_same_labels_with_onnxruntime_tokenizers_and_numpy(
    adapt: Environment, bare: Any, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    base = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(inbox)}
    folder = run(adapt, tmp_path, **base, EPOCHS=6, BATCH_SIZE=16, LR=0.003, EXPORT=["onnx"])
    lines = Lines.of((folder / "README.md").read_text(encoding="utf-8").split("\n## onnx\n")[1])
    example = "A text to classify."
    texts = [example, "Is the oak room free on Friday?", "Where is the book that I asked for?"]
    expected = predicted(adapt, folder, texts)
    assert len({row["label"] for row in expected}) > 1
    assert set(lines.packages) == {"onnxruntime", "numpy", "tokenizers"}
    environment = bare(*lines.packages)
    assert not environment.packages() & {"torch", "transformers", "onnx"}
    moved = shutil.copytree(folder / "exports" / "onnx", tmp_path / "elsewhere")
    alone = Lines.of((moved / "README.md").read_text(encoding="utf-8"))
    for given, place in ((lines, folder), (alone, moved)):
        for text, row in zip(texts, expected, strict=True):
            label, score = done(environment.python, "-c", given.about(example, text), cwd=place).rsplit(maxsplit=1)
            assert label == row["label"], text
            assert float(score) == pytest.approx(row["score"], abs=2e-6)


def test_gguf_goes_on_with_the_same_text_with_transformers_and_gguf(
    adapt: Environment, bare: Any, inbox: Path, inbox_texts: list[str], tmp_path: Path
) -> None:
    from adapt_core.testing import small_models

    model = small_models.llama(tmp_path / "model", inbox_texts)
    base = {"TASK": "text_generation", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(inbox), "method": "full"}
    # So far that the text depends on its beginning, and no two words are so close that rounding decides between them.
    training = {"EPOCHS": 3, "LR": 0.01, "max_seq_length": 64, "dataset_text_field": "text"}
    folder = run(adapt, tmp_path, **base, **training, max_new_tokens=12, temperature=0.0, EXPORT=["gguf"])
    lines = Lines.of((folder / "README.md").read_text(encoding="utf-8").split("\n## gguf\n")[1])
    example = "Once upon a time"
    texts = [example, "Is the oak room"]
    expected = [row["generated_text"] for row in predicted(adapt, folder, texts)]
    assert len(set(expected)) == len(texts)
    assert set(lines.packages) == {"transformers", "accelerate", "torch", "gguf"}
    environment = bare(*lines.packages)
    assert not environment.packages() & {"peft", "datasets"}
    moved = shutil.copytree(folder / "exports" / "gguf", tmp_path / "elsewhere")
    alone = Lines.of((moved / "README.md").read_text(encoding="utf-8"))
    for text, given, place, written in zip(texts, (lines, alone), (folder, moved), expected, strict=True):
        assert done(environment.python, "-c", given.about(example, text), cwd=place).strip() == written.strip()
