"""OpenMMLab here: is it installed, and is it whole."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab.doctor import INSTALL, INSTALL_POSE

_NOISY = ("mmengine", "mmdet", "mmpose", "mmcv", "matplotlib", "PIL")


def require_installed(what: str, pose: bool = False) -> None:
    """Sees that the packages are there, without importing them.

    Raises:
        InputError: naming what is missing and the command that adds it.
    """
    needed = ["mmengine", "mmcv", "mmdet", "cv2", "pycocotools", *(["mmpose"] if pose else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        command = INSTALL_POSE if pose else INSTALL
        raise InputError(f"{what} needs OpenMMLab, and {', '.join(missing)} is not installed: {command}")


def import_openmmlab(package: str) -> None:
    """Imports mmdet (and mmpose) with whatever operators there are, and makes its registry the one that builds.

    Args:
        package: "mmdet" or "mmpose".

    Raises:
        InputError: OpenCV cannot be loaded here.
    """
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    with quiet_warnings():
        try:
            importlib.import_module("cv2")
        except ImportError as error:
            raise InputError(
                f"OpenCV cannot be loaded here ({error}). The headless build needs no window system: "
                "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless"
            ) from error
        importlib.import_module("adapt_vision_mm.openmmlab.mmcv_ops_shim")
        for module in ("mmdet.models", "mmdet.datasets", "mmdet.structures", "mmdet.visualization"):
            importlib.import_module(module)
        if package == "mmpose":
            importlib.import_module("adapt_vision_mm.openmmlab.xtcocotools_shim")
            for module in ("mmpose.models", "mmpose.datasets", "mmpose.codecs"):
                importlib.import_module(module)
        from mmengine.logging import MMLogger
        from mmengine.registry import init_default_scope

        MMLogger.get_instance(f"adapt-{package}", log_level="ERROR")  # else every initialised tensor is reported
        init_default_scope(package)


@contextmanager
def quiet_warnings() -> Iterator[None]:
    """Leaves out the warnings that OpenMMLab gives on import and building, which tell a user nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
