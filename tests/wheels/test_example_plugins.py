"""The plugins in examples/plugins: built as wheels, installed with nothing but what they name, tested and used.

Minutes, and a package index is needed: `pytest -m wheels`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..environments import ROOT, Environment, done

pytestmark = [pytest.mark.wheels, pytest.mark.timeout(1800)]

EXAMPLES = ROOT / "examples" / "plugins"


@pytest.fixture(scope="module")
def core(uv: str, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """adapt-core, the method, the format, and pytest for their contracts."""
    folder = tmp_path_factory.mktemp("env") / "core"
    return Environment(uv, folder, wheels, "adapt-core", "adapt-bitfit", "adapt-quillmark", "pytest")


@pytest.fixture(scope="module")
def hf(uv: str, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """adapt-core[hf] with each of the example plugins but the format, without adapt's own."""
    folder = tmp_path_factory.mktemp("env") / "hf"
    names = ("adapt-text-regression", "adapt-bitfit", "adapt-csv-tracker", "adapt-word-errors")
    return Environment(uv, folder, wheels, "adapt-core[hf]", *names, "pytest")


def write_config(folder: Path, model: Path) -> Path:
    """Writes a small run of text_regression and its data: how long a text is."""
    rows = [{"text": " ".join(["word"] * n), "score": n / 4} for n in range(1, 9)]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 4), encoding="utf-8")
    keys = {
        "TASK": "text_regression",
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(folder),
        "OUTPUT_DIR": str(folder / "run"),
        "EPOCHS": 2,
        "LR": 0.01,
        "NUM_WORKERS": 0,
    }
    path = folder / "c.yaml"
    path.write_text(json.dumps(keys), encoding="utf-8")
    return path


@pytest.fixture
def config(tiny_encoder: Path, tmp_path: Path) -> Path:
    """That run in a folder of the test's own."""
    return write_config(tmp_path, tiny_encoder)


def result_of(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The result of a run that must have succeeded."""
    assert finished.returncode == 0, finished.stderr
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


@pytest.fixture(scope="module")
def untracked(hf: Environment, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of that run with the method of a third party and without the tracker of another."""
    config = write_config(tmp_path_factory.mktemp("untracked"), tiny_encoder)
    method = ("--set", "method=bitfit")
    return result_of(hf.adapt("-p", "no:csv-tracker", "run", config, *method, "--json", cwd=config.parent))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("adapt-bitfit", 120),
        ("adapt-csv-tracker", 120),
        ("adapt-text-regression", 120),
        ("adapt-quillmark", 80),
        ("adapt-word-errors", 50),
    ],
)
def test_an_example_is_short(name: str, lines: int) -> None:
    sources = (EXAMPLES / name / name.replace("-", "_")).glob("*.py")
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in sources) < lines


def test_the_method_passes_its_contracts_with_nothing_but_adapt_core(core: Environment, tmp_path: Path) -> None:
    assert not core.packages() & {"transformers", "datasets", "accelerate", "peft"}
    done(core.python, "-m", "pytest", "-q", EXAMPLES / "adapt-bitfit" / "tests", "-p", "no:cacheprovider", cwd=tmp_path)
    listed = json.loads(core.adapt("plugins", "--json", cwd=tmp_path).stdout)
    assert "adapt-bitfit" in {plugin["distribution"] for plugin in listed["plugins"]}


def test_the_format_passes_its_contracts_with_nothing_but_adapt_core(core: Environment, tmp_path: Path) -> None:
    assert not core.packages() & {"transformers", "datasets", "pandas"}
    tests = EXAMPLES / "adapt-quillmark" / "tests"
    done(core.python, "-m", "pytest", "-q", tests, "-p", "no:cacheprovider", cwd=tmp_path)
    listed = json.loads(core.adapt("plugins", "--json", cwd=tmp_path).stdout)
    [provides] = [one["provides"] for one in listed["plugins"] if one["distribution"] == "adapt-quillmark"]
    assert provides == [{"kind": "format", "name": "quillmark", "summary": "Quillmark exports"}]


def test_the_metric_of_torchmetrics_passes_its_contracts_and_scores_nothing_that_it_does_not_fit(
    hf: Environment, config: Path, tmp_path: Path
) -> None:
    tests = EXAMPLES / "adapt-word-errors" / "tests"
    done(hf.python, "-m", "pytest", "-q", tests, "-p", "no:cacheprovider", cwd=tmp_path)
    refused = hf.adapt("run", config, "--set", "METRICS=wer", cwd=config.parent)
    assert refused.returncode == 2
    assert "word_error_rate scores text, and text_regression predicts nothing that metrics score" in refused.stderr


def test_the_task_passes_its_contracts_with_nothing_but_adapt_core_hf(hf: Environment, tmp_path: Path) -> None:
    assert not hf.packages() & {"adapt-nlp", "adapt-peft-ssf", "peft", "evaluate"}
    tests = EXAMPLES / "adapt-text-regression" / "tests"
    done(hf.python, "-m", "pytest", "-q", tests, "-p", "no:cacheprovider", cwd=tmp_path)


def test_the_task_trains_with_the_method_of_another_third_party(hf: Environment, untracked: dict[str, Any]) -> None:
    assert (untracked["task"], untracked["method"]) == ("text_regression", "BitFit")
    assert untracked["training_check"]["verdict"] == "learned"
    assert untracked["training_check"]["frozen_tensors"] > untracked["training_check"]["trained_tensors"] > 0
    assert untracked["versions"]["adapt-bitfit"] == "3.1.4"
    folder = Path(untracked["output_dir"])
    predicted = hf.adapt("predict", folder, "word word", "--json", cwd=folder.parent)
    assert json.loads(predicted.stdout)[0]["score"] == pytest.approx(0.5, abs=2)


def test_a_parameter_of_the_method_that_names_nothing_is_refused(hf: Environment, config: Path) -> None:
    wrong = ("--set", "method=BitFit", "--set", "bias_of=[nowhere]")
    refused = hf.adapt("run", config, *wrong, cwd=config.parent)
    assert refused.returncode == 2
    assert "bias_of: BertForSequenceClassification has no bias in a module named nowhere" in refused.stderr
    off = hf.adapt("-p", "no:bitfit", "run", config, "--set", "method=BitFit", cwd=config.parent)
    assert off.returncode == 2
    assert "no method 'BitFit' is registered" in off.stderr


def test_the_tracker_observes_a_run(hf: Environment, config: Path, tmp_path: Path, untracked: dict[str, Any]) -> None:
    after = result_of(hf.adapt("run", config, "--json", cwd=tmp_path))["metrics"]["after"]
    rows = (tmp_path / "run" / "figures.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "phase,step,epoch,name,value"
    last = next(row for row in rows if row.startswith("after,") and ",rmse," in row)
    assert float(last.rpartition(",")[2]) == after["rmse"]
    assert not Path(untracked["output_dir"], "figures.csv").exists()
