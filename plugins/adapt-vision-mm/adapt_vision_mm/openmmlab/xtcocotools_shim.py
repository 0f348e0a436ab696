"""pycocotools under the name xtcocotools, which mmpose imports and which does not install with numpy 2.

Import this module before mmpose's data sets. Where xtcocotools works it does nothing. It does not import
adapt, so that a copy next to a saved model works with plain mmpose.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray
    from pycocotools.coco import COCO

_NAME = "xtcocotools"


def install() -> None:
    """Install the substitute in `sys.modules` if xtcocotools cannot be imported."""
    try:
        importlib.import_module(f"{_NAME}.coco")
    except (ImportError, ValueError):  # built for another numpy it raises ValueError
        for name in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
            del sys.modules[name]
    else:
        return
    from pycocotools import coco, cocoeval, mask

    package = _module(_NAME)
    package.__path__ = []
    contents: dict[str, dict[str, Any]] = {
        "coco": {"COCO": coco.COCO},
        "cocoeval": {"COCOeval": _evaluation(cocoeval.COCOeval)},
        "mask": {name: getattr(mask, name) for name in dir(mask) if not name.startswith("_")},
    }
    for name, values in contents.items():
        module = _module(f"{_NAME}.{name}")
        vars(module).update(values)
        setattr(package, name, module)


def _module(name: str) -> ModuleType:
    module = ModuleType(name, __doc__)
    module.__spec__ = ModuleSpec(name, None, origin="pycocotools")
    sys.modules[name] = module
    return module


def _evaluation(base: type) -> type:
    """Return pycocotools' evaluation with the arguments that xtcocotools adds."""

    class COCOeval(base):
        def __init__(
            self, truth: COCO, found: COCO, kind: str, sigmas: NDArray[float64] | None = None, use_area: bool = True
        ) -> None:
            super().__init__(truth, found, kind)
            if sigmas is not None:
                self.params.kpt_oks_sigmas = sigmas

    return COCOeval


install()
