"""Lines that load an adapter of a timm model with plain peft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.hf.problems.problem import Problem

from adapt_vision_mm.image_classification.backends.timm.models import size_options, usage
from adapt_vision_mm.image_classification.backends.timm.reference import TimmReference
from adapt_vision_mm.image_classification.params import ImageClassificationParams

NO_PLAIN_BASE = """\
# timm alone does not make this adapter's base: its weights are random, or were read from a file that is not in timm's
# own form. Write the whole model, and see its README: adapt export . --save-method safetensors -o DIR"""


def plain_base(
    plan: Plan[ImageClassificationParams], reference: TimmReference, config: Mapping[str, Any]
) -> str | None:
    """Return a call of `timm.create_model` that makes the base with its weights; None where timm alone cannot.

    Args:
        plan: for load_model and MODEL_CHECKPOINT.
        reference: the model.
        config: its preprocessing, which a network of a fixed input size is built for.
    """
    source = reference.source
    from_file = source is not None and source.path is not None and source.path.is_file()
    if plan.model.model_checkpoint or from_file or (source is None and not plan.task.params.load_model):
        return None
    sizes = "".join(f", {key}={value!r}" for key, value in size_options(reference, config).items())
    return f'timm.create_model({reference.name!r}, pretrained=True, num_classes=config["num_classes"]{sizes})'


def loading_lines(base: str, registering: Sequence[str], problem: Problem) -> str:
    """Return Python source that loads base and adapter in the folder that has `adapter/`, and classifies an image.

    Args:
        base: the call that makes the base.
        registering: an import that the adapter's type needs.
        problem: that the model was trained for.
    """
    return "\n".join(
        [
            "import json",
            "from pathlib import Path",
            "",
            *registering,
            "import timm",
            "from peft import PeftModel",
            "",
            "# timm's own format, with the labels and the preprocessing",
            'config = json.loads(Path("adapter/config.json").read_text(encoding="utf-8"))',
            f"model = {base}",
            'model = PeftModel.from_pretrained(model, "adapter").eval()',
            'data_config = timm.data.resolve_data_config(pretrained_cfg=config["pretrained_cfg"])',
            "transform = timm.data.create_transform(**data_config)",
            'labels = config["label_names"]',
            usage(problem, "adapter"),
        ]
    )
