"""Hugging Face image classifiers and their image processors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification, ConvNextImageProcessor

from adapt_core.config.plan import Plan
from adapt_core.contracts import LoadedModel, Quantizer
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.hf.models.attention import attention_options, class_of
from adapt_core.hf.models.location import PROCESSOR_FILES, ModelSource
from adapt_core.hf.models.pretrained import load_companion, load_pretrained, load_quantized

from adapt_vision_mm.image_classification.defaults import DEFAULT_MODEL_TYPE, DEFAULT_PROCESSOR
from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.image_classification.processors import load_named_processor

if TYPE_CHECKING:
    from transformers.image_processing_utils import BaseImageProcessor

_IMAGENET_MEAN = [0.485, 0.456, 0.406]
_IMAGENET_STD = [0.229, 0.224, 0.225]

log = logging.getLogger(__name__)


def make_model(
    source: ModelSource,
    plan: Plan[ImageClassificationParams],
    names: tuple[str, ...],
    quantizer: Quantizer | None,
    world: World,
) -> LoadedModel:
    """Load an image classifier with one output per name, quantized and with flash attention if the plan says so.

    Raises:
        InputError: it cannot be loaded, or its model_type is not the one given.
    """
    config = load_companion(AutoConfig.from_pretrained, source, plan)
    wanted = plan.task.params.model_type
    if wanted not in (DEFAULT_MODEL_TYPE, config.model_type):
        raise InputError(
            f"model_type: {wanted} contradicts {source.given}, which is a {config.model_type}. Leave model_type out."
        )
    options: dict[str, Any] = {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
        "ignore_mismatched_sizes": True,
        **attention_options(plan, world, lambda: class_of(AutoModelForImageClassification, config)),
    }
    if quantizer is None:
        return load_pretrained(AutoModelForImageClassification, source, plan, world.device, options)
    return load_quantized(AutoModelForImageClassification, source, plan, quantizer, world.device, options)


def load_processor(source: ModelSource, plan: Plan[ImageClassificationParams]) -> BaseImageProcessor:
    """Load the processor of image_processor_path, else the model's own, else one with ImageNet's numbers.

    Raises:
        InputError: the named processor cannot be loaded.
    """
    named = load_named_processor(plan)
    if named is not None:
        return named
    if source.path is None or any((source.path / name).is_file() for name in PROCESSOR_FILES):
        own: BaseImageProcessor = load_companion(AutoImageProcessor.from_pretrained, source, plan)
        return own
    config = load_companion(AutoConfig.from_pretrained, source, plan)
    size = getattr(config, "image_size", None) or 224
    size = size if isinstance(size, int) else max(size)
    log.info("%s has no image processor: using that of %s at %d pixels.", source.given, DEFAULT_PROCESSOR, size)
    default: BaseImageProcessor = ConvNextImageProcessor(
        size={"shortest_edge": size},
        crop_pct=0.875,
        resample=3,
        image_mean=_IMAGENET_MEAN,
        image_std=_IMAGENET_STD,
    )
    return default
