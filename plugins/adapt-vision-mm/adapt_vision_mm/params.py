"""The parameters of image classification (apart from its implementation, which imports torch)."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param

DEFAULT_ARCHITECTURE = "densenet121"
DEFAULT_MODEL_TYPE = "densenet_timm"
DEFAULT_PROCESSOR = "facebook/convnext-tiny-224"


@attrs.frozen
class ImageClassificationParams:
    """Parameters of image_classification."""

    load_model: bool = param(
        False,
        "Load the published pretrained weights of the timm architecture that MODEL_PATH names. false: it starts from "
        "LOCAL_MODEL_PATH's weights where given, else from random ones. Folders and hub ids always bring their own.",
    )
    model_type: str = param(
        DEFAULT_MODEL_TYPE,
        "What kind of model MODEL_PATH is. X_timm: the timm architecture (or family) X, which a file of weights needs; "
        "for Hugging Face the config's model_type. Any value but the default must agree with MODEL_PATH.",
    )
    image_processor_path: str = param(
        DEFAULT_PROCESSOR,
        "Hugging Face image processor (hub id or folder) whose size, mean and std replace the model's own. The default "
        "serves only models that bring none; its numbers are built in.",
    )
    framework: str | None = param(
        None,
        "Library of a hub id ORG/NAME: huggingface (default; timm for ids of timm/), or timm. A bare name is a timm "
        "architecture, and a folder says itself what it is.",
        key="FRAMEWORK",
        choices=("timm", "huggingface"),
    )
    load_by_order: bool = param(
        False,
        "Load a file of weights whose names are not timm's by the order of its tensors, where kinds and shapes agree.",
    )
    augmentation: bool = param(
        True,
        "Train on random crops (8 to 100 % of the area) and mirror images; false: as in evaluation.",
    )
    dataset_text_field: str = param("image", "Column of the image where input_column is not given.")
    flash_attention2: bool = param(
        False, "Use flash attention 2 where model and device support it; elsewhere the default, said in the log."
    )
    class_weights: str | dict[str, object] | None = param(
        None,
        "Weight of each class in the loss: balanced (inverse frequency), or a mapping of class to weight.",
        key="CLASS_WEIGHTS",
    )
