"""An image classifier's adapter is used by the lines of its model card, with plain peft and no adapt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.testing.cards import python_of

from ..conftest import Keys

pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")


def said_by_the_card(python: Callable[..., Any], run: Path, photos: Sequence[Path]) -> list[str]:
    """The classes that the card's lines give photos."""
    lines = python_of(run / "README.md").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("# from PIL"))
    use = [line.removeprefix("# ") for line in lines[start:]]
    each = "\n".join([*use, "print(label)"])
    source = "\n".join([*lines[:start], *(each.replace("photo.jpg", str(photo)) for photo in photos)])
    done = python(source, folder=run)
    assert done.returncode == 0, done.stderr
    return str(done.stdout).split()


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


@pytest.fixture
def keys_of(keys: Keys, hf_keys: Keys, resnet: Path) -> dict[str, Keys]:
    """Each library's config."""
    timm_keys = {**keys, "MODEL_PATH": str(resnet), "model_type": None, "FRAMEWORK": "timm"}
    return {"huggingface": hf_keys, "timm": timm_keys}


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
    library: str, changes: Keys, keys_of: dict[str, Keys], pictures: Path, python: Callable[..., Any], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    adapt_core.run({**keys_of[library], **changes, "EPOCHS": 3, "LR": 0.02, "MERGE_ADAPTER": False})
    photos = [pictures / "val" / colour / "1.jpg" for colour in ("blue", "green", "red")]
    found = [one["label"] for one in adapt_core.predict(run, list(map(str, photos)))]
    assert said_by_the_card(python, run, photos) == found
    assert len(set(found)) > 1


def test_an_adapter_on_a_base_that_timm_alone_cannot_make_says_so(keys: Keys, tmp_path: Path) -> None:
    adapt_core.run({**keys, "method": "LoRA", "MERGE_ADAPTER": False, "MAX_STEPS": 1})
    assert "its weights are random, or were read from a file" in python_of(tmp_path / "run" / "README.md")
    assert (tmp_path / "run" / "adapter" / "config.json").is_file()
