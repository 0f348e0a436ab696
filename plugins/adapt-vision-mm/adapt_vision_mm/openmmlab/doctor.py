"""The optional packages that `adapt doctor` reports. Imports nothing heavy."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adapt_core.plugin.specs import OptionalDependency

INSTALL = "pip install 'adapt-vision-mm[detection]'"
INSTALL_POSE = f"{INSTALL} && pip install --no-deps mmpose"


def optional_dependencies() -> list[OptionalDependency]:
    """Return mmdet with the origin of its operators, OpenCV, and mmpose."""
    return [
        OptionalDependency(
            name="mmdet",
            purpose="object_detection, instance_segmentation",
            present=_has("mmdet") and _has("mmcv"),
            add=INSTALL,
            note=f"operators: {_operators()}",
        ),
        OptionalDependency(
            name="cv2", purpose="images for OpenMMLab", present=_has("cv2"), add=INSTALL, note=_opencv()
        ),
        OptionalDependency(name="mmpose", purpose="pose_detection", present=_has("mmpose"), add=INSTALL_POSE),
    ]


def _has(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _operators() -> str:
    spec = importlib.util.find_spec("mmcv")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    compiled = any(next(folder.glob("_ext.*"), None) for folder in folders)
    return "compiled, of mmcv" if compiled else "nms, roi_align and others by torchvision"


def _opencv() -> str:
    try:
        return f"headless build {version('opencv-python-headless')}"
    except PackageNotFoundError:
        return "a build with windows, which needs libGL.so.1"
