"""The parameters of image classification. Imports nothing heavy."""

from __future__ import annotations

import attrs

from adapt_core.hf.problems import params as problems
from adapt_core.plugin.params import param

from adapt_vision_mm.image_classification.backends.libraries import LIBRARIES
from adapt_vision_mm.image_classification.defaults import DEFAULT_MODEL_TYPE, DEFAULT_PROCESSOR


@attrs.frozen
class Augmentation:
    """Random crops and mirrored images, and what comes on top.

    Attributes:
        magnitude: of RandAugment's operations; None for none.
        erasing: the probability that a box is erased.
    """

    magnitude: int | None = None
    erasing: float = 0.0


@attrs.frozen
class ImageClassificationParams:
    """Parameters of image_classification."""

    load_model: bool = param(
        False,
        "Load the published pretrained weights of the timm architecture that MODEL_PATH names. false: start from the "
        "weights of LOCAL_MODEL_PATH, or from random ones without it. Folders and hub ids have their own.",
    )
    model_type: str = param(
        DEFAULT_MODEL_TYPE,
        "Kind of model that MODEL_PATH is. X_timm: the timm architecture (or family) X, which a file of weights needs; "
        "for Hugging Face: the model_type of its config. Any value but the default must agree with MODEL_PATH.",
    )
    image_processor_path: str = param(
        DEFAULT_PROCESSOR,
        "Hugging Face image processor (hub id or folder) whose size, mean and std replace the model's own. The default "
        "is used only for models without one; its numbers are built in.",
    )
    framework: str | None = param(
        None,
        "Library of a hub id ORG/NAME: huggingface (default; timm for ids of timm/), or timm. A bare name is a timm "
        "architecture, and a folder's config.json decides for the folder.",
        key="FRAMEWORK",
        choices=tuple(library.name for library in LIBRARIES),
    )
    load_by_order: bool = param(
        False,
        "Load a file of weights whose names are not timm's by the order of its tensors, if kinds and shapes match.",
    )
    augmentation: bool = param(
        True,
        "Train on random crops (8 to 100 % of the area) and mirrored images; false: preprocess as in evaluation.",
    )
    rand_augment: int | None = param(
        None,
        "Magnitude, 0 to 30, of the two operations that RandAugment draws for each training image (colours, shears, "
        "rotations ...). Default: none. With augmentation: true.",
        key="RAND_AUGMENT",
        ge=0,
        le=30,
    )
    random_erasing: float = param(
        0.0,
        "Probability that a box of a training image is replaced by noise. With augmentation: true.",
        key="RANDOM_ERASING",
        ge=0,
        le=1,
    )
    mixup: float = param(
        0.0, "Mix pairs of training images and their targets, by shares of Beta(MIXUP, MIXUP).", key="MIXUP", ge=0
    )
    cutmix: float = param(
        0.0,
        "Put a box of one training image into another, its area by Beta(CUTMIX, CUTMIX). Beside MIXUP, each batch gets "
        "one of both.",
        key="CUTMIX",
        ge=0,
    )
    augmented_views: int | None = param(
        None,
        "Augmented views of a training image for which a frozen part is computed once (last_layer, FROZEN_CACHE_GB); "
        "further epochs show them again. Default: a new one in each epoch, computed at every step.",
        key="AUGMENTED_VIEWS",
        ge=1,
    )
    problem_type: str = problems.problem_type()
    target_columns: tuple[str, ...] | None = problems.target_columns()
    label_separator: str | None = problems.label_separator()
    calibrate: bool = problems.calibrate()
    abstain_precision: float | None = problems.abstain_precision()
    dataset_text_field: str = param("image", "Column of the image if input_column is not given.")
    flash_attention2: bool = param(
        False, "Use flash attention 2 if model and device support it; otherwise the default, with a warning."
    )
    class_weights: str | dict[str, object] | None = param(
        None,
        "Weight of each class in the loss: balanced (inverse frequency), or a mapping of classes to weights. Of "
        "several labels, the weight of the images that have it.",
        key="CLASS_WEIGHTS",
    )
    label_smoothing: float = problems.label_smoothing()
    loss: str | None = problems.loss()
    loss_options: dict[str, object] | None = problems.loss_options()
    class_sampling: str | None = problems.class_sampling()

    @property
    def augments(self) -> Augmentation | None:
        """How training images are augmented; None where they are not."""
        return Augmentation(self.rand_augment, self.random_erasing) if self.augmentation else None

    @property
    def mixes(self) -> bool:
        """Whether training images are mixed."""
        return self.mixup > 0 or self.cutmix > 0
