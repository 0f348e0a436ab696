"""Whether OpenMMLab is installed, and its import with replacements for what does not install everywhere."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab.doctor import INSTALL, INSTALL_POSE

if TYPE_CHECKING:
    from adapt_vision_mm.openmmlab.contracts import Package

log = logging.getLogger(__name__)

_COMMANDS: dict[Package, str] = {"mmdet": INSTALL, "mmpose": INSTALL_POSE}
_REQUIRED = ("mmengine", "mmcv", "mmdet", "cv2", "pycocotools", "faster_coco_eval")
_NOISY = ("mmengine", "mmdet", "mmpose", "mmcv", "matplotlib", "PIL")


def require_installed(task: str, package: Package) -> None:
    """Check that the packages of a task are installed, without importing them.

    Raises:
        InputError: naming what is missing and the command that adds it.
    """
    needed = [*_REQUIRED, *(name for name in [package] if name not in _REQUIRED)]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{task} needs OpenMMLab, and {', '.join(missing)} is not installed: {_COMMANDS[package]}")


def import_openmmlab(package: Package) -> None:
    """Import mmdet (and mmpose) with compiled or substitute operators, and make its registry the default.

    Args:
        package: "mmdet" or "mmpose".

    Raises:
        InputError: OpenCV cannot be loaded.
    """
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    with quiet_warnings(), redirect_stdout(StringIO()) as printed:
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
    for line in printed.getvalue().splitlines():  # mmdet prints which of its optional packages are missing
        log.debug("%s", line)


@contextmanager
def quiet_warnings() -> Iterator[None]:
    """Suppress the warnings that OpenMMLab emits on import and building, which do not concern a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
