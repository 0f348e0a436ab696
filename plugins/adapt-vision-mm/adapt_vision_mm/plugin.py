"""The tasks of adapt-vision-mm. Imports nothing heavy: a task's code is imported when a run needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.hf.loop.spec import HF_LOOP
from adapt_core.hf.problems import kinds
from adapt_core.plugin.specs import TABLE, FormatSpec, OptionalDependency, TaskSpec, hookimpl

from adapt_vision_mm.annotations.metric_names import BOX_METRICS, KEYPOINT_METRICS, MASK_METRICS
from adapt_vision_mm.image_classification.defaults import DEFAULT_ARCHITECTURE
from adapt_vision_mm.image_classification.metrics import METRICS
from adapt_vision_mm.openmmlab.spec import MM_LOOP

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan

    from adapt_vision_mm.image_classification.params import ImageClassificationParams

_SHARE = (0.0, 1.0)
"""The bounds of each metric of this plugin."""


def _classified(params: ImageClassificationParams) -> tuple[str, ...]:
    return kinds.predictions_of(params.problem_type)


@hookimpl
def adapt_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="image_classification",
            summary="one or several labels or numbers for each image, with timm and Hugging Face models",
            implementation="adapt_vision_mm.image_classification.task:ImageClassification",
            params="adapt_vision_mm.image_classification.params:ImageClassificationParams",
            shapes=(TABLE, "image+class"),
            loop=HF_LOOP,
            pipeline="image-classification",
            library=_classifier_library,
            predictions=_classified,
            metrics={**METRICS, **kinds.METRICS},
            bounds={**dict.fromkeys(METRICS, _SHARE), **kinds.BOUNDS},
            core_defaults={"MODEL_PATH": DEFAULT_ARCHITECTURE},
        ),
        TaskSpec(
            name="object_detection",
            summary="boxes around objects, with any detector of mmdet",
            implementation="adapt_vision_mm.object_detection.task:ObjectDetection",
            params="adapt_vision_mm.mm_params:DetectionParams",
            shapes=("image+boxes",),
            loop=MM_LOOP,
            pipeline="object-detection",
            library="openmmlab",
            metrics=BOX_METRICS,
            bounds=dict.fromkeys(BOX_METRICS, _SHARE),
        ),
        TaskSpec(
            name="instance_segmentation",
            aliases=("image_segmentation",),
            summary="masks of objects, with any instance segmentation model of mmdet",
            implementation="adapt_vision_mm.instance_segmentation.task:InstanceSegmentation",
            params="adapt_vision_mm.mm_params:SegmentationParams",
            shapes=("image+masks",),
            loop=MM_LOOP,
            pipeline="image-segmentation",
            library="openmmlab",
            metrics=MASK_METRICS | BOX_METRICS,
            bounds=dict.fromkeys(MASK_METRICS | BOX_METRICS, _SHARE),
        ),
        TaskSpec(
            name="pose_detection",
            summary="points on bodies, with any 2d model of mmpose",
            implementation="adapt_vision_mm.pose_detection.task:PoseDetection",
            params="adapt_vision_mm.mm_params:PoseParams",
            shapes=("image+keypoints",),
            loop=MM_LOOP,
            pipeline="keypoint-detection",
            library="openmmlab",
            metrics=KEYPOINT_METRICS,
            bounds=dict.fromkeys(KEYPOINT_METRICS, _SHARE),
        ),
    ]


@hookimpl
def adapt_formats() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="coco",
            summary="COCO JSON",
            implementation="adapt_vision_mm.annotations.formats.coco:CocoJson",
            shapes=("image+boxes", "image+masks", "image+keypoints"),
            suffixes=(".json",),
            general=True,
        ),
        FormatSpec(
            name="pascal_voc",
            aliases=("voc",),
            summary="Pascal VOC",
            implementation="adapt_vision_mm.annotations.formats.pascal_voc:PascalVoc",
            shapes=("image+boxes",),
        ),
        FormatSpec(
            name="yolo",
            summary="YOLO's text files",
            implementation="adapt_vision_mm.annotations.formats.yolo:Yolo",
            shapes=("image+boxes", "image+masks", "image+keypoints"),
        ),
        FormatSpec(
            name="label_studio",
            summary="Label Studio's JSON",
            implementation="adapt_vision_mm.annotations.formats.label_studio:LabelStudio",
            shapes=("image+boxes", "image+masks", "image+keypoints"),
        ),
        FormatSpec(
            name="labelme",
            summary="LabelMe's JSON files",
            implementation="adapt_vision_mm.annotations.formats.labelme:LabelMe",
            shapes=("image+boxes", "image+masks", "image+keypoints"),
        ),
        FormatSpec(
            name="via",
            summary="VIA's JSON or csv",
            implementation="adapt_vision_mm.annotations.formats.via:Via",
            shapes=("image+boxes", "image+masks"),
        ),
        FormatSpec(
            name="cvat",
            summary="CVAT's XML for images",
            implementation="adapt_vision_mm.annotations.formats.cvat:Cvat",
            shapes=("image+boxes", "image+masks", "image+keypoints"),
        ),
        FormatSpec(
            name="label_maps",
            summary="a list of image names with PNG label maps",
            implementation="adapt_vision_mm.annotations.formats.label_maps:LabelMaps",
            shapes=("image+masks",),
            general=True,
        ),
    ]


def _classifier_library(plan: Plan[ImageClassificationParams]) -> str:
    from adapt_vision_mm.image_classification.backends.choice import choose_backend

    return choose_backend(plan).hub_library


@hookimpl
def adapt_optional_dependencies() -> list[OptionalDependency]:
    from adapt_vision_mm.openmmlab.doctor import optional_dependencies

    return optional_dependencies()
