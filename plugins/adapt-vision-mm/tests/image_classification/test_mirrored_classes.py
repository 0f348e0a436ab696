"""Images are not mirrored where a mirrored image shows another class: left hands and right hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry


@pytest.mark.parametrize("mirrors", [True, False])
def test_a_classifier_of_sides_sees_no_mirrored_image(
    keys: dict[str, Any], copy: Path, caplog: pytest.LogCaptureFixture, mirrors: bool
) -> None:
    from adapt_vision_mm.image_classification.task import ImageClassification

    for split in ("train", "val"):
        (copy / split / "red").rename(copy / split / "left hand")
        (copy / split / "green").rename(copy / split / ("both hands" if mirrors else "right hand"))
    plan = resolve(RunConfig.read({**keys, "CUSTOM_DATASET_PATH": str(copy)}), Registry.discover())
    data = ImageClassification(plan).load_data()
    assert "RandomResizedCrop" in data.train.transform_key
    assert ("RandomHorizontalFlip" in data.train.transform_key) is mirrors
    assert ("augmentation: training images are not mirrored" in caplog.text) is not mirrors
    assert ("names of these classes say left and right: left hand / right hand" in caplog.text) is not mirrors
