"""A real run with the example of a format (examples/plugins/adapt-quillmark): found, preferred to tables, told."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core import api
from adapt_core.errors import InputError

EXAMPLE = Path(__file__).parents[4] / "examples" / "plugins" / "adapt-quillmark" / "adapt_quillmark"
TEXTS = {"my parcel is late": "delivery", "where is it?": "delivery", "pay me back": "refund", "money back": "refund"}


def install(site: Path, package: str, name: str) -> None:
    """Installs the example under a name of its own."""
    shutil.copytree(EXAMPLE, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (site / package).glob("*.py"):
        text = file.read_text(encoding="utf-8").replace("adapt_quillmark", package)
        file.write_text(text.replace('name="quillmark"', f'name="{name}"'), encoding="utf-8")
    about = site / f"adapt_{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: adapt-{name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[adapt]\n{name} = {package}.plugin\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions with the example."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, "quillmark_of_test", "quillmark")
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [name for name in sys.modules if "_of_test" in name]:
        del sys.modules[name]


@pytest.fixture
def config(tmp_path: Path, site: Path, tiny_encoder: Path) -> Callable[..., dict[str, Any]]:
    """A small run on an export, or on the same rows in the plain form."""
    export: list[dict[str, Any]] = [{"quillmark_export": 3, "project": "support"}]
    export += [{"doc": {"body": text}, "verdicts": [{"choice": label}]} for text, label in TEXTS.items()] * 6
    plain = [{"text": text, "label": label} for text, label in TEXTS.items()] * 6
    for form, rows in (("export", export), ("plain", plain)):
        (tmp_path / form).mkdir()
        for split in ("train", "validation"):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (tmp_path / form / f"{split}.jsonl").write_text(lines, encoding="utf-8")

    def keys(form: str, **changes: Any) -> dict[str, Any]:
        return {
            "TASK": "text_classification",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": str(tmp_path / form),
            "OUTPUT_DIR": str(tmp_path / f"run_{form}"),
            "EPOCHS": 2,
            "LR": 1e-3,
            "BATCH_SIZE": 8,
            "NUM_WORKERS": 0,
            "LOGGING_STEPS": 1,
            **changes,
        }

    return keys


def losses(result: Any) -> list[float]:
    lines = (Path(result.output_dir) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def test_a_run_on_an_export_has_the_losses_of_the_plain_form(config: Callable[..., dict[str, Any]]) -> None:
    plain, export = (losses(adapt_core.run(config(form))) for form in ("plain", "export"))
    assert len(plain) > 4
    assert plain == export


def test_check_tells_which_format_recognised_the_data(config: Callable[..., dict[str, Any]]) -> None:
    assert api.estimate(api.check(config("export"))).formats["train"] == {
        "format": "quillmark",
        "distribution": "adapt-quillmark 1.0",
        "reason": "train.jsonl begins with quillmark_export",
    }
    assert api.estimate(api.check(config("plain"))).formats["train"]["format"] == "json"


def test_two_plugins_that_recognise_the_data_are_both_named(config: Callable[..., dict[str, Any]], site: Path) -> None:
    install(site, "quillmark_too_of_test", "feather")
    with pytest.raises(InputError, match=r"recognised by feather of adapt-feather 1\.0 \(.*\) and quillmark of"):
        api.check(config("export"))
    assert api.check(config("export", DATA_FORMAT="Feather")).data.data_format == "feather"
    assert api.check(config("export"), disable_plugins=["feather"]).formats
