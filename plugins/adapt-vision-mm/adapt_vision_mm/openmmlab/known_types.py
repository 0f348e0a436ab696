"""What may be built from a config that came with a model: layers, losses, heads and image transforms by their names.

OpenMMLab builds whatever `type` a config names, imports a dotted name, and evaluates the name of an NMS operator as
Python. Among the classes that are registered, some read further configs (which are Python) or files of any kind.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab.model_config import walk

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.registry import Registry

_BUILT = ("model", "train_pipeline", "own_training", "test_pipeline", "test_dataloader")
"""The parts of a config that adapt builds from; it replaces or leaves out the others."""

_SCOPES = ("mmdet", "mmpose", "mmcv", "mmengine")
_NAME = re.compile(rf"(?:(?:{'|'.join(_SCOPES)})\.)?(\w+)")

_REGISTRIES = {
    "mmengine.registry": ("MODELS", "TASK_UTILS", "WEIGHT_INITIALIZERS", "TRANSFORMS"),
    "mmdet.registry": ("MODELS", "TASK_UTILS", "TRANSFORMS"),
    "mmpose.registry": ("MODELS", "TASK_UTILS", "TRANSFORMS", "KEYPOINT_CODECS"),
}
"""Module -> its registries that what adapt builds is looked up in."""

_KNOWN = (
    "torch.nn.",
    "mmcv.cnn.",
    "mmcv.ops.",
    "mmcv.transforms.",
    "mmengine.model.",
    "mmengine.utils.dl_utils.parrots_wrapper.",
    "mmdet.models.backbones.",
    "mmdet.models.data_preprocessors.",
    "mmdet.models.dense_heads.",
    "mmdet.models.detectors.",
    "mmdet.models.layers.",
    "mmdet.models.losses.",
    "mmdet.models.necks.",
    "mmdet.models.reid.gap.",
    "mmdet.models.roi_heads.",
    "mmdet.models.seg_heads.",
    "mmdet.models.task_modules.",
    "mmdet.datasets.transforms.",
    "mmpose.models.backbones.",
    "mmpose.models.data_preprocessors.",
    "mmpose.models.heads.",
    "mmpose.models.losses.",
    "mmpose.models.necks.",
    "mmpose.models.pose_estimators.",
    "mmpose.models.task_modules.",
    "mmpose.models.utils.",
    "mmpose.codecs.",
    "mmpose.datasets.transforms.",
    "adapt_vision_mm.openmmlab.mmcv_ops_shim.",
    "adapt_vision_mm.openmmlab.detectors.own_transform.",
)
"""Beginnings of the modules whose classes may be built."""

_READ_FILES = (
    "mmcv.cnn.rfsearch.",
    "mmdet.datasets.transforms.text_transformers.",
    "mmdet.models.detectors.d2_wrapper.",
    "mmdet.models.detectors.kd_one_stage.",
    "mmdet.models.detectors.lad.",
    "mmdet.models.task_modules.tracking.",
)
"""Modules among them whose classes read other configs, pickles or tokenizers that a config names, or evaluate text."""

_NAMES = (
    "TimmBackbone",  # adapt's own, registered when it is built
    "CocoDataset",  # in test_dataloader, where plain OpenMMLab looks for the pipeline; adapt does not build it
    "nms",  # the operators of mmcv.ops, whose `type` mmcv evaluates
    "soft_nms",
    "nms_match",
    "nms_rotated",
    "nms_quadri",
    "RoIAlign",  # the layers that mmdet takes from mmcv.ops
    "RoIPool",
    "SimpleRoIAlign",
)
"""Further names that may be built."""


def require_known(config: Config, source: Path) -> None:
    """Check that a config builds nothing but what adapt knows. Needs mmdet (mmpose) imported.

    Args:
        config: what a model is built from.
        source: the file that it came from, for the message.

    Raises:
        InputError: it names anything else; the message has the place.
    """
    for part in _BUILT:
        for place, what in _unknown(config.get(part), part):
            raise InputError(
                f"{source}: {place}: {what}. From a config that comes with a model, only the layers, losses, heads and "
                "transforms of mmdet, mmpose, mmcv and adapt are built: look at it, and if you trust where it comes "
                "from, --set TRUST_REMOTE_CODE=true"
            )


def _unknown(node: Any, part: str) -> Iterator[tuple[str, str]]:
    for path, mapping in walk(node, part):
        if "type" in mapping and not _is_known(mapping["type"]):
            yield f"{path}.type", f"{_told(mapping['type'])} may name any code"
        scope = mapping.get("_scope_")
        if scope is not None and scope not in _SCOPES:
            yield f"{path}._scope_", f"{_told(scope)} would be imported"
        described = mapping.get("metainfo")
        if isinstance(described, str) or (isinstance(described, dict) and "from_file" in described):
            yield f"{path}.metainfo", f"{_told(described)} is a file of Python"


def _is_known(name: Any) -> bool:
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        return False
    if name in _NAMES:
        return True
    modules = [f"{module}." for module in _modules_of(match[1])]
    return bool(modules) and all(m.startswith(_KNOWN) and not m.startswith(_READ_FILES) for m in modules)


def _modules_of(name: str) -> set[str]:
    """Return the modules of all that is registered under a name, in whichever package."""
    held = [registry.module_dict[name] for registry in _registries() if name in registry.module_dict]
    return {str(getattr(item, "__module__", None)) for item in held}


def _registries() -> Iterator[Registry]:
    for module, names in _REGISTRIES.items():
        for name in names if module in sys.modules else ():
            registry: Registry = getattr(sys.modules[module], name)
            registry.import_from_location()  # the package's own modules, which register their classes
            yield registry


def _told(value: object) -> str:
    return repr(value)[:80]
