"""Hugging Face image classifiers and their image processors."""

from __future__ import annotations

import logging
from typing import Any

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification, ConvNextImageProcessor

from adapt_core.config.plan import Plan
from adapt_core.contracts import LoadedModel, Quantizer
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.hf.models.attention import attention_options, class_of
from adapt_core.hf.models.hub import require_model
from adapt_core.hf.models.location import PROCESSOR_FILES, ModelSource
from adapt_core.hf.models.pretrained import load_companion, load_pretrained
from adapt_core.nn.structure import find_head

from adapt_vision_mm.image_classification.library import Choice
from adapt_vision_mm.params import DEFAULT_MODEL_TYPE, DEFAULT_PROCESSOR

AUTO_CLASS = "AutoModelForImageClassification"

_IMAGENET_MEAN = [0.485, 0.456, 0.406]
_IMAGENET_STD = [0.229, 0.224, 0.225]

log = logging.getLogger(__name__)


def make_model(
    choice: Choice, plan: Plan, names: tuple[str, ...], quantizer: Quantizer | None, world: World
) -> LoadedModel:
    """An image classifier with one logit for each class, quantized and with flash attention where asked for.

    Raises:
        InputError: it cannot be loaded, or is of another kind than model_type says.
    """
    source = choice.source
    assert source is not None
    config = load_companion(AutoConfig.from_pretrained, source, plan)
    wanted = plan.task.params.model_type
    if wanted not in (DEFAULT_MODEL_TYPE, config.model_type):
        raise InputError(f"model_type: {wanted} contradicts {source.given}, which is a {config.model_type}.")
    options: dict[str, Any] = {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
        "ignore_mismatched_sizes": True,
        **attention_options(plan, world, lambda: class_of(AutoModelForImageClassification, config)),
    }
    if quantizer is not None:
        with torch.device("meta"):
            head = find_head(AutoModelForImageClassification.from_config(config))
        options.update(quantizer.hf_options(head, world.device))
    loaded = load_pretrained(AutoModelForImageClassification, source, plan, options)
    model_config: Any = loaded.model.config
    model_config.problem_type = "single_label_classification"
    return loaded


def processor_of(choice: Choice, plan: Plan) -> Any:
    """The processor that image_processor_path names, else the model's own, else one with ImageNet's usual numbers.

    Raises:
        InputError: the named processor cannot be loaded.
    """
    named = named_processor(plan)
    if named is not None:
        return named
    source = choice.source
    assert source is not None
    if source.path is None or any((source.path / name).is_file() for name in PROCESSOR_FILES):
        return load_companion(AutoImageProcessor.from_pretrained, source, plan)
    config = load_companion(AutoConfig.from_pretrained, source, plan)
    size = getattr(config, "image_size", None) or 224
    size = size if isinstance(size, int) else max(size)
    log.info("%s has no image processor: that of %s is used, at %d pixels.", source.given, DEFAULT_PROCESSOR, size)
    return ConvNextImageProcessor(
        size={"shortest_edge": size},
        crop_pct=0.875,
        resample=3,
        image_mean=_IMAGENET_MEAN,
        image_std=_IMAGENET_STD,
    )


def named_processor(plan: Plan) -> Any:
    """The processor that image_processor_path names, or None where it says the default.

    Raises:
        InputError: it cannot be found or loaded.
    """
    name = plan.task.params.image_processor_path
    if name == DEFAULT_PROCESSOR:
        return None
    from adapt_vision_mm.image_classification.processors import locate_processor

    source: ModelSource = locate_processor(name)
    if source.path is None:
        require_model(source, "image_processor_path")
    return load_companion(AutoImageProcessor.from_pretrained, source, plan)
