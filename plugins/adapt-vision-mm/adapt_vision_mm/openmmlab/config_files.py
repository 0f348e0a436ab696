"""The OpenMMLab config that MODEL_PATH names: a file, an adapted model's folder, or a config of the installed packages.

Finding one needs no import of OpenMMLab.
"""

from __future__ import annotations

import importlib.util
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import PACKAGE_PREFIX, locate

from adapt_vision_mm.openmmlab.trusted_configs import require_plain

CONFIG, CHECKPOINT = "config.py", "checkpoint.pth"
_WEIGHTS = (".pth", ".pt", ".safetensors")


@attrs.frozen
class ModelFiles:
    """Where a model comes from.

    Attributes:
        config: the config file.
        weights: a checkpoint to load, or None.
    """

    config: Path
    weights: Path | None


def find_model(plan: Plan, package: str) -> ModelFiles:
    """The files of MODEL_PATH, LOCAL_MODEL_PATH (a checkpoint or a folder) and MODEL_CHECKPOINT.

    Args:
        plan: the plan.
        package: "mmdet" or "mmpose", whose configs are known by name.

    Raises:
        InputError: a name that no config has, with the nearest ones; a file that is not there; or a folder whose config
            holds code (see `trusted_configs`).
    """
    model = plan.model
    local = Path(model.local_model_path).expanduser() if model.local_model_path else None
    weights = _weights(model.model_checkpoint, "MODEL_CHECKPOINT")
    if local is not None and (local.suffix in _WEIGHTS or not model.model_path):
        if local.suffix in _WEIGHTS:
            weights = weights or _weights(str(local), "LOCAL_MODEL_PATH")
            local = None
        elif not local.exists():
            raise InputError(f"LOCAL_MODEL_PATH: {local} does not exist.")
    given = str(local) if local is not None and local.exists() else model.model_path
    if given is None:
        raise InputError("MODEL_PATH: a checkpoint needs its config: the config's name, or a .py file.")
    path = _existing(given, plan)
    if path is not None and path.is_dir():
        config = path / CONFIG
        if not config.is_file():
            raise InputError(f"MODEL_PATH: {path} has no {CONFIG}; a folder must be the model/ of a run.")
        require_plain(config, plan.model.trust_remote_code)
        held = path / CHECKPOINT
        return ModelFiles(config.absolute(), weights or (held.absolute() if held.is_file() else None))
    if path is not None:
        if path.suffix != ".py":
            raise InputError(f"MODEL_PATH: {path} is no OpenMMLab config (.py). A checkpoint goes to LOCAL_MODEL_PATH.")
        return ModelFiles(path.absolute(), weights)
    return ModelFiles(_by_name(given, package), weights)


def _existing(given: str, plan: Plan) -> Path | None:
    if given.startswith(PACKAGE_PREFIX):
        return locate(plan).path
    path = Path(given).expanduser()
    return path if path.exists() else None


def _weights(given: str | None, key: str) -> Path | None:
    if given is None:
        return None
    path = Path(given).expanduser().absolute()
    if not path.exists():
        raise InputError(f"{key}: {path} does not exist.")
    if path.is_dir():
        found = [path / name for name in (CHECKPOINT, "model.safetensors", "model_state_dict.pt")]
        path = next((candidate for candidate in found if candidate.is_file()), path / CHECKPOINT)
    return path


def shipped_configs(package: str) -> dict[str, Path]:
    """Config name -> file, of those that an installed package ships."""
    spec = importlib.util.find_spec(package)
    roots = [Path(root) / ".mim" / "configs" for root in (spec.submodule_search_locations or ())] if spec else []
    return {
        path.stem: path
        for root in roots
        for path in sorted(root.rglob("*.py"))
        if not any(part.startswith("_base_") or part == "legacy" for part in path.parts)
    }


def _by_name(given: str, package: str) -> Path:
    known = shipped_configs(package)
    name = given.rpartition("/")[2].removesuffix(".py")
    if name in known:
        return known[name]
    folded = {key.casefold(): key for key in known}
    starting = [key for key in known if key.casefold().startswith(name.casefold())]
    near = starting[:3] or [folded[key] for key in get_close_matches(name.casefold(), folded, n=3, cutoff=0.4)]
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    raise InputError(f"MODEL_PATH: {given!r} is neither a file nor one of the {len(known)} configs of {package}.{hint}")


def read_config(path: Path) -> Any:
    """The mmengine Config of a file.

    Raises:
        InputError: it cannot be read.
    """
    from mmengine.config import Config

    try:
        return Config.fromfile(str(path))
    except Exception as error:  # a config is Python code: anything can go wrong in it
        raise InputError(
            f"MODEL_PATH: the config {path} cannot be read: {' '.join(str(error).split())[:300]}"
        ) from error
