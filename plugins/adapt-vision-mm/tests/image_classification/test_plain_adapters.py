"""An image classifier's adapter is used by the lines of its model card, with plain peft and no adapt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from ..conftest import Keys

pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")


def card(run: Path) -> str:
    return (run / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


def said_by_the_card(run: Path, photo: Path) -> str:
    """The class that the card's lines give a photo."""
    lines = card(run).replace("photo.jpg", str(photo)).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("# from PIL"))
    use = [line.removeprefix("# ") for line in lines[start:]]
    source = "\n".join([*lines[:start], *use[:-1], f"print({use[-1]})"])
    done = subprocess.run([sys.executable, "-c", source], cwd=run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a small timm network, as timm publishes them."""
    timm = pytest.importorskip("timm")
    import torch

    from adapt_vision_mm.image_classification.backends.timm.models import save_model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("resnet")
    save_model(timm.create_model("resnet10t", num_classes=3), folder, "save_pretrained")
    return folder


@pytest.mark.parametrize(
    ("library", "changes"),
    [
        ("huggingface", {"method": "LoRA"}),
        pytest.param("huggingface", {"method": "SSF", "load_in_8bit": True}, marks=pytest.mark.slow),
        ("timm", {"method": "LoRA"}),
        pytest.param("timm", {"method": "SSF"}, marks=pytest.mark.slow),
    ],
)
def test_the_cards_lines_load_an_adapter(
    library: str, changes: Keys, keys: Keys, hf_keys: Keys, resnet: Path, pictures: Path, tmp_path: Path
) -> None:
    timm_keys = {**keys, "MODEL_PATH": str(resnet), "model_type": None, "FRAMEWORK": "timm"}
    given: Any = {**(hf_keys if library == "huggingface" else timm_keys), **changes, "EPOCHS": 6, "LR": 0.02}
    run = tmp_path / "run"
    adapt_core.run({**given, "MERGE_ADAPTER": False})
    photos = [pictures / "val" / colour / "1.jpg" for colour in ("blue", "green", "red")]
    found = [one["label"] for one in adapt_core.predict(run, list(map(str, photos)))]
    assert [said_by_the_card(run, photo) for photo in photos] == found
    assert len(set(found)) > 1


def test_an_adapter_on_a_base_that_timm_alone_cannot_make_says_so(keys: Keys, tmp_path: Path) -> None:
    adapt_core.run({**keys, "method": "LoRA", "MERGE_ADAPTER": False, "MAX_STEPS": 1})
    assert "its weights are random, or were read from a file" in card(tmp_path / "run")
    assert (tmp_path / "run" / "adapter" / "config.json").is_file()
