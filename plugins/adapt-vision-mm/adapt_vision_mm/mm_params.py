"""Parameters of the OpenMMLab tasks: the schedule keys of the specification, and those of detectors."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class MmParams:
    """Parameters that object_detection, instance_segmentation and pose_detection share.

    Attributes:
        train_ann_file, val_ann_file: declared here for the code that all tasks share; each task has its own defaults.
    """

    train_ann_file: str | tuple[str, ...]
    val_ann_file: str | tuple[str, ...]

    begin: int = param(
        0, "Epoch at which the learning rate's schedule starts; before it LR is held.", key="BEGIN", ge=0
    )
    end: int = param(50, "Epoch at which the schedule stops; beyond EPOCHS it is clipped to EPOCHS.", key="END", ge=1)
    t_max: int = param(
        0,
        "Cosine schedules: epochs from LR down to 0, where it stays or restarts; 0 means END - BEGIN.",
        key="T_MAX",
        ge=0,
    )
    warmup: bool = param(
        False, "Start below LR, at WARMUP_RATIO of it, and reach it after WARMUP_ITERS steps.", key="WARMUP"
    )
    warmup_ratio: float = param(
        0.1, "With WARMUP: the first learning rate as a share of LR.", key="WARMUP_RATIO", gt=0, le=1
    )
    warmup_iters: int = param(50, "With WARMUP: steps until LR is reached.", key="WARMUP_ITERS", ge=1)
    milestones: tuple[int, ...] = param(
        (),
        "MultiStepLR: epochs, from the beginning of the run, at which the learning rate is multiplied by GAMMA.",
        key="MILESTONES",
        ge=0,
    )
    gamma: float = param(0.1, "MultiStepLR: the factor at each of MILESTONES.", key="GAMMA", gt=0)
    amp: bool = param(False, "Mixed precision in float16 (needs a GPU): another spelling of FP16.")
    auto_scale_lr: bool = param(
        False, "Multiply LR by BATCH_SIZE x processes / the batch size that the model's config was made for."
    )
    cfg_options: dict[str, object] | bool | None = param(
        None, "Changes to the OpenMMLab config, by dotted names (model.test_cfg.score_thr: 0.1); true means none."
    )
    checkpoint_interval: int = param(
        5,
        "Epochs between checkpoints where INTERVAL is epoch; the last epoch is always saved.",
        ge=1,
        may_change_on_resume=True,
    )
    test_ann_file: str | tuple[str, ...] | None = param(
        None, "Annotation file of the test split, or a list of them; scored once at the end."
    )
    image_size: int | None = param(
        None, "Longest side of the images as the model sees them, in pixels (default: the config's).", ge=32
    )
    augment: bool | str = param(
        True,
        "Training images are mirrored, scaled by 0.8 to 1.25 and varied in colour. own: the training pipeline of the "
        "detector's config, with its mosaic and mixup and the plainer one of its last epochs.",
        choices=(True, False, "own"),
    )
    backbone: str | None = param(
        None, "Replace the config's backbone by a timm model: timm/NAME (features_only, any size of channels)."
    )
    backbone_weights: str | None = param(
        None,
        "Weights of the backbone: a file, package:NAME/path, or pretrained (whatever config or timm would download).",
    )
    fuse_convolutions: bool = param(
        True,
        "Evaluate with each convolution, its batch norm and its activation as one operation of oneDNN, on CPUs and in "
        "float32: the same results up to rounding. Tried first on one image of the run.",
        key="FUSE_CONVOLUTIONS",
        may_change_on_resume=True,
    )
    score_threshold: float | None = param(
        None,
        "adapt predict leaves out what scores lower (default: for boxes and masks, the score of each class with the "
        "best F1 on the validation images; else 0.3).",
        ge=0,
        lt=1,
        may_change_on_resume=True,
    )


@attrs.frozen
class DetectorParams(MmParams):
    """Parameters that object_detection and instance_segmentation share."""

    repeat_threshold: float | None = param(
        None,
        "Show images with rare classes more often: a class in a share f of the training images (0.02) repeats them "
        "sqrt(REPEAT_THRESHOLD / f) times, where that is above 1. Default: each image once.",
        key="REPEAT_THRESHOLD",
        gt=0,
        le=1,
    )


@attrs.frozen
class DetectionParams(DetectorParams):
    """Parameters of object_detection."""

    train_ann_file: str | tuple[str, ...] = param(
        "train.json", "Annotations of the training images: a file in one of the formats, or a list of files."
    )
    val_ann_file: str | tuple[str, ...] = param("val.json", "The same for the validation images.")


@attrs.frozen
class SegmentationParams(DetectorParams):
    """Parameters of instance_segmentation."""

    train_ann_file: str | tuple[str, ...] = param(
        "train.txt",
        "Names of the training images without suffix, next to label maps; or a file with masks, or a list of files.",
    )
    val_ann_file: str | tuple[str, ...] = param("val.txt", "The same for the validation images.")
    class_list: tuple[str, ...] = param(
        (), "Label maps: the class names; the first is the class of value 1 (0 is the background)."
    )
    palette: tuple[tuple[int, ...], ...] = param(
        (),
        "One [red, green, blue] for each class: colours of drawn masks, and of label maps saved in colour.",
        ge=0,
        le=255,
    )


@attrs.frozen
class PoseParams(MmParams):
    """Parameters of pose_detection."""

    train_ann_file: str | tuple[str, ...] = param(
        "annotations/person_keypoints_val2017.json",
        "Annotations of the training images with keypoints: a file, or a list of files.",
    )
    augment: bool = param(True, "Training images are mirrored, scaled by 0.8 to 1.25 and varied in colour.")
    val_ann_file: str | tuple[str, ...] = param(
        "annotations/person_keypoints_val2017.json", "The same for the validation images."
    )
