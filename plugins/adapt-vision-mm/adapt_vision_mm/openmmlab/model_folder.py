"""A model on disk: weights by SAVE_METHOD, and a checkpoint and config that plain mmdet or mmpose load."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from adapt_core.errors import InputError
from adapt_core.nn.weights import read_torch_file, save_weights

from adapt_vision_mm.images.usage import READ_PHOTO
from adapt_vision_mm.openmmlab.config_files import CHECKPOINT, CONFIG, read_config
from adapt_vision_mm.openmmlab.contracts import Package
from adapt_vision_mm.openmmlab.known_types import require_known
from adapt_vision_mm.openmmlab.model_config import remove_checkpoints

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.model import BaseModel

_OPERATORS, _TIMM, _KEYPOINTS = "mmcv_ops_shim.py", "timm_backbone.py", "xtcocotools_shim.py"
_APIS: dict[Package, tuple[str, str]] = {
    "mmdet": ("init_detector", "inference_detector"),
    "mmpose": ("init_model", "inference_topdown"),
}
"""The functions of each package's `apis` that load a model and predict."""


def save(model: BaseModel, folder: Path, save_method: str) -> None:
    """Write weights, `checkpoint.pth`, `config.py`, and the modules with which plain mmdet loads them anywhere.

    Args:
        model: a plain model, with `cfg` and `dataset_meta`.
        folder: an existing, empty folder.
        save_method: one of SAVE_METHODS except save_pretrained.
    """
    import torch

    config = model.cfg
    save_weights(model, folder, save_method)
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    torch.save({"meta": {"dataset_meta": model.dataset_meta}, "state_dict": state}, folder / CHECKPOINT)
    config.dump(str(folder / CONFIG))
    companions = [_OPERATORS]
    if config.model.backbone.get("type") == "TimmBackbone":
        companions.append(_TIMM)
    if config.get("default_scope") == "mmpose":
        companions.append(_KEYPOINTS)
    for name in companions:
        shutil.copyfile(Path(__file__).parent / name, folder / name)


def load(folder: Path, package: Package, *, trusted: bool) -> nn.Module:
    """Load the model that `save` wrote, in evaluation mode, with `cfg` and `dataset_meta` as in `init_detector`.

    Args:
        folder: a model folder.
        package: what builds the model.
        trusted: TRUST_REMOTE_CODE.

    Raises:
        InputError: the folder is damaged, or its config is not trusted and names more than layers, losses and heads.
    """
    config = read_config(folder / CONFIG)
    if not trusted:
        require_known(config, folder / CONFIG)
    saved: dict[str, Any] = read_torch_file(folder / CHECKPOINT)
    try:
        remove_checkpoints(config.model, keep_backbone=False)
        model = build(config, package)
        model.load_state_dict(saved["state_dict"])
        model.dataset_meta = saved["meta"]["dataset_meta"]
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # What mmengine and torch raise where a config builds no model, or not the one that the checkpoint is of.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            f"{folder} cannot be loaded: {CONFIG} and {CHECKPOINT} are not of one model: {type(error).__name__}: "
            f"{reason} (Restore the folder, or run again.)"
        ) from error
    model.cfg = config
    evaluating: nn.Module = model.eval()
    return evaluating


def build(config: Config, package: Package) -> BaseModel:
    """Build the model of a config, without initialising its weights.

    Of a copy: mmdet's heads write what they are given into it, DETR's a tensor that no config file can hold.
    """
    from mmengine.registry import MODELS

    if config.model.get("backbone", {}).get("type") == "TimmBackbone":
        import adapt_vision_mm.openmmlab.timm_backbone  # noqa: F401 - registers the class
    with MODELS.switch_scope_and_registry(package) as registry:
        return registry.build(copy.deepcopy(config.model))


def loading_lines(save_method: str, package: Package) -> str:
    """Return Python source that loads `model/` with plain mmdet or mmpose.

    Args:
        save_method: one of SAVE_METHODS.
        package: the package that loads it.
    """
    load_function, predict_function = _APIS[package]
    usage = [
        READ_PHOTO,
        "# import numpy",
        f"# from {package}.apis import {predict_function}"
        + ("  # inference_bottomup for a model of whole images" if package == "mmpose" else ""),
        f"# {predict_function}(model, numpy.asarray(photo)[:, :, ::-1].copy())  # blue, green, red",
    ]
    lines = [
        "import sys",
        "from pathlib import Path",
        "",
        'sys.path.insert(0, "model")',
        "import mmcv_ops_shim  # mmcv's operators by torchvision, where mmcv has no compiled ones",
        *(["import xtcocotools_shim  # xtcocotools by pycocotools"] if package == "mmpose" else []),
        'if Path("model/timm_backbone.py").exists():',
        "    import timm_backbone",
    ]
    if save_method == "full_torch_model":
        return "\n".join(
            [
                *lines,
                "import torch",
                "",
                "# A pickle can run code when it is loaded: load it only if you trust where it comes from.",
                'model = torch.load("model/model.pt", weights_only=False).eval()',
                *usage,
            ]
        )
    return "\n".join(
        [
            *lines,
            f"from {package}.apis import {load_function}",
            "",
            f'model = {load_function}("model/config.py", "model/checkpoint.pth", device="cpu")',
            *usage,
        ]
    )
