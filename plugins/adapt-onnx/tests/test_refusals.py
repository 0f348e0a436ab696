"""What is no ONNX file, told in seconds, before training."""

from __future__ import annotations

import pytest

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import InputError
from adapt_core.execution.components import make_exporter
from adapt_core.plugin.registry import Registry


@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation", "pose_detection"])
def test_detectors_are_refused_with_the_reason(task: str) -> None:
    keys = {"TASK": task, "MODEL_PATH": "some-detector", "CUSTOM_DATASET_PATH": "data", "EXPORT": "onnx"}
    plan = resolve(RunConfig.read(keys), Registry.discover())
    (chosen,) = plan.exporters
    with pytest.raises(InputError, match=f"does not take models of {task}: the heads of OpenMMLab choose boxes in Py"):
        make_exporter(chosen).check(plan)


def test_classifiers_are_not_refused() -> None:
    keys = {"TASK": "image_classification", "MODEL_PATH": "resnet10t", "CUSTOM_DATASET_PATH": "data", "EXPORT": "onnx"}
    plan = resolve(RunConfig.read(keys), Registry.discover())
    make_exporter(plan.exporters[0]).check(plan)
