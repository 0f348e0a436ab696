"""The OpenMMLab config that MODEL_PATH names: a file, an adapted model's folder, or a config of the installed packages.

Finding one does not import OpenMMLab.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import locate
from adapt_core.plugin.import_strings import PACKAGE_PREFIX

from adapt_vision_mm.openmmlab.contracts import Package
from adapt_vision_mm.openmmlab.trusted_configs import require_plain

if TYPE_CHECKING:
    from mmengine.config import Config

    from adapt_vision_mm.mm_params import MmParams

CONFIG, CHECKPOINT = "config.py", "checkpoint.pth"
_WEIGHTS = (".pth", ".pt", ".safetensors")


@attrs.frozen
class ModelFiles:
    """The files of a model.

    Attributes:
        config: the config file.
        weights: a checkpoint to load, or None.
        known_types_only: whether the config came with a model, and its user does not trust it.
    """

    config: Path
    weights: Path | None
    known_types_only: bool = False


def find_model(plan: Plan[MmParams], package: Package) -> ModelFiles:
    """Return the files of MODEL_PATH, LOCAL_MODEL_PATH (a checkpoint or a folder) and MODEL_CHECKPOINT.

    Args:
        plan: the plan.
        package: the package whose configs are known by name.

    Raises:
        InputError: no config has the name (the message has the nearest ones), a file does not exist, or the config of
            a folder contains code (see `trusted_configs`).
    """
    model = plan.model
    local = Path(model.local_model_path).expanduser() if model.local_model_path else None
    weights = _weights(model.model_checkpoint, "MODEL_CHECKPOINT")
    if local is not None and (local.suffix in _WEIGHTS or not model.model_path):
        if local.suffix in _WEIGHTS:
            weights = weights or _weights(str(local), "LOCAL_MODEL_PATH")
            local = None
        elif not local.exists():
            raise InputError(f"LOCAL_MODEL_PATH: {local} does not exist. Correct the path.")
    given = str(local) if local is not None and local.exists() else model.model_path
    if given is None:
        raise InputError("MODEL_PATH: a checkpoint needs its config: the config's name, or a .py file.")
    path = _existing(given, plan)
    if path is not None and path.is_dir():
        config = path / CONFIG
        if not config.is_file():
            raise InputError(f"MODEL_PATH: {path} has no {CONFIG}; a folder must be the model/ of a run.")
        require_plain(config, trusted=plan.model.trust_remote_code)
        checkpoint = path / CHECKPOINT
        weights = weights or (checkpoint.absolute() if checkpoint.is_file() else None)
        return ModelFiles(config.absolute(), weights, known_types_only=not model.trust_remote_code)
    if path is not None:
        if path.suffix != ".py":
            raise InputError(
                f"MODEL_PATH: {path} is not an OpenMMLab config (.py). A checkpoint goes to LOCAL_MODEL_PATH."
                " Give a config."
            )
        if plan.foreign:
            require_plain(path, trusted=model.trust_remote_code)
        return ModelFiles(path.absolute(), weights, known_types_only=plan.foreign and not model.trust_remote_code)
    return ModelFiles(_by_name(given, package), weights)


def _existing(given: str, plan: Plan[MmParams]) -> Path | None:
    if given.startswith(PACKAGE_PREFIX):
        return locate(plan).path
    path = Path(given).expanduser()
    return path if path.exists() else None


def _weights(given: str | None, key: str) -> Path | None:
    if given is None:
        return None
    path = Path(given).expanduser().absolute()
    if not path.exists():
        raise InputError(f"{key}: {path} does not exist. Correct the path.")
    if path.is_dir():
        found = [path / name for name in (CHECKPOINT, "model.safetensors", "model_state_dict.pt")]
        path = next((candidate for candidate in found if candidate.is_file()), path / CHECKPOINT)
    return path


def shipped_configs(package: Package) -> dict[str, Path]:
    """Return the files of the configs that an installed package ships, by name."""
    spec = importlib.util.find_spec(package)
    roots = [Path(root) / ".mim" / "configs" for root in (spec.submodule_search_locations or ())] if spec else []
    return {
        path.stem: path
        for root in roots
        for path in sorted(root.rglob("*.py"))
        if not any(name.startswith("_base_") or name == "legacy" for name in path.parts)
    }


def _by_name(given: str, package: Package) -> Path:
    known = shipped_configs(package)
    name = given.rpartition("/")[2].removesuffix(".py")
    if name in known:
        return known[name]
    near = _nearest(name.casefold(), [key for key in known if not key.endswith("_tta")])  # these hold no model
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    raise InputError(
        f"MODEL_PATH: {given!r} is neither a file nor one of the {len(known)} configs of {package}.{hint}"
        " Correct the name."
    )


def read_config(path: Path) -> Config:
    """Read the mmengine Config of a file.

    Raises:
        InputError: it cannot be read.
    """
    from mmengine.config import Config

    try:
        return Config.fromfile(str(path))
    except Exception as error:  # a config is Python code: anything can go wrong in it
        raise InputError(
            f"the config {path} cannot be read: {' '.join(str(error).split())[:300]} (Correct the config.)"
        ) from error


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    """Return at most three configs that begin with a name, are spelled like it, or are of a family spelled like it."""
    starting = [key for key in known if key.casefold().startswith(name)]
    if starting:
        return starting[:3]
    folded = {key.casefold(): key for key in known}
    spelled = get_close_matches(name, folded, n=3)
    if spelled:
        return [folded[key] for key in spelled]
    families = {}
    for key in sorted(folded, key=len, reverse=True):  # of each family the shortest name is kept
        families[key.partition("_")[0]] = folded[key]
    return [families[key] for key in get_close_matches(name.partition("_")[0], families, n=3, cutoff=0.5)]
