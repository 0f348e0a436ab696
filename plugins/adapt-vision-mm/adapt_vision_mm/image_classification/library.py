"""Which library a model comes from, timm or Hugging Face, decided by one rule that needs no torch.

1. A local folder's config.json says it (`architecture`: timm; `model_type`: Hugging Face).
2. A local file is weights for the timm architecture that MODEL_PATH (else model_type) names.
3. A bare name (`densenet121`, `vit_small_patch16_224.augreg_in1k`) is a timm architecture.
4. A hub id: FRAMEWORK says it; without it ids of `timm/` (and `hf-hub:ORG/NAME`) are timm's, all others Hugging Face's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import PACKAGE_PREFIX, ModelSource, locate

from adapt_vision_mm.params import DEFAULT_ARCHITECTURE, DEFAULT_MODEL_TYPE

TIMM = "timm"
HUGGING_FACE = "huggingface"

_HUB_PREFIX = "hf-hub:"
_TIMM_TYPE = "_timm"
_BARE_NAME = re.compile(r"[\w-]+(\.[\w-]+)*")
_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")


@attrs.frozen(kw_only=True)
class Choice:
    """A model and its library.

    Attributes:
        library: TIMM or HUGGING_FACE.
        architecture: the timm architecture, where neither folder nor hub tells it.
        source: the folder, file of weights, or hub id; None for a bare timm name.
    """

    library: str
    architecture: str | None = None
    source: ModelSource | None = None

    @property
    def named(self) -> str:
        """The model in words."""
        return str(self.architecture or (self.source and self.source.given))


def choose(plan: Plan) -> Choice:
    """The model of a plan, by the rule above.

    Raises:
        InputError: a path that is not there, a folder that says nothing, or keys that contradict one another.
    """
    given = str(plan.model.local_model_path or plan.model.model_path)
    framework = plan.task.params.framework
    if given.startswith(_HUB_PREFIX):
        source = ModelSource(given, hub_id=given.removeprefix(_HUB_PREFIX))
        choice = Choice(library=framework or TIMM, source=source)
    elif _is_bare_name(given) and not plan.model.local_model_path:
        choice = Choice(library=TIMM, architecture=_architecture(plan))
    else:
        source = locate(plan)
        if source.path is None:
            library = framework or (TIMM if str(source.hub_id).startswith("timm/") else HUGGING_FACE)
            choice = Choice(library=library, source=source)
        else:
            choice = _local(plan, source, source.path)
    _refuse_contradiction(plan, choice)
    return choice


def _is_bare_name(given: str) -> bool:
    return (
        _BARE_NAME.fullmatch(given) is not None
        and not given.startswith(PACKAGE_PREFIX)
        and not Path(given).expanduser().exists()
        and Path(given).suffix not in _WEIGHTS
    )


def _local(plan: Plan, source: ModelSource, path: Path) -> Choice:
    if path.is_file():
        return Choice(library=TIMM, architecture=_architecture(plan), source=source)
    config = path / "config.json"
    if not config.is_file():
        weights = sorted(file for file in path.iterdir() if file.suffix in _WEIGHTS)
        if len(weights) == 1:
            file = ModelSource(source.given, path=weights[0])
            return Choice(library=TIMM, architecture=_architecture(plan), source=file)
        found = f"it holds {len(weights)} files of weights" if weights else "and no weights"
        raise InputError(f"{source.given} has no config.json, {found}. Name the file of weights itself.")
    try:
        says = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{config} cannot be read as JSON: {error}.") from None
    if "model_type" in says:
        if plan.task.params.framework == TIMM:
            raise InputError(f"FRAMEWORK: timm contradicts {config}, which is a Hugging Face {says['model_type']}.")
        return Choice(library=HUGGING_FACE, source=source)
    if "architecture" in says:
        return Choice(library=TIMM, architecture=str(says["architecture"]), source=source)
    raise InputError(f"{config} names neither a model_type (Hugging Face) nor an architecture (timm).")


def _architecture(plan: Plan) -> str:
    """The timm architecture that MODEL_PATH names; where that is the default or no name, model_type's."""
    named, model_type = str(plan.model.model_path), str(plan.task.params.model_type)
    kind = model_type.removesuffix(_TIMM_TYPE) if model_type != DEFAULT_MODEL_TYPE else None
    if named != DEFAULT_ARCHITECTURE and _is_bare_name(named):
        return named
    if kind and not DEFAULT_ARCHITECTURE.startswith(kind):
        return kind
    if named == DEFAULT_ARCHITECTURE:
        return named
    raise InputError(
        f"MODEL_PATH: {named} is no timm architecture, and weights need one: MODEL_PATH: NAME with LOCAL_MODEL_PATH: "
        "FILE, or model_type: NAME_timm. (Weights over a Hugging Face model are given as MODEL_CHECKPOINT.)"
    )


def _refuse_contradiction(plan: Plan, choice: Choice) -> None:
    model_type = plan.task.params.model_type
    if model_type == DEFAULT_MODEL_TYPE:
        return
    if choice.library == HUGGING_FACE and model_type.endswith(_TIMM_TYPE):
        raise InputError(f"model_type: {model_type} contradicts {choice.named}, which is a Hugging Face model.")
    kind = model_type.removesuffix(_TIMM_TYPE)
    if choice.library == TIMM and choice.architecture and not choice.architecture.startswith(kind):
        raise InputError(f"model_type: {model_type} contradicts the timm architecture {choice.architecture}.")
