"""Which timm model a config means: its architecture and where its weights come from."""

from __future__ import annotations

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import ModelSource

from adapt_vision_mm.image_classification.backends.base import LocatedModel, is_bare_name
from adapt_vision_mm.image_classification.defaults import DEFAULT_ARCHITECTURE, DEFAULT_MODEL_TYPE, TIMM_SUFFIX
from adapt_vision_mm.image_classification.params import ImageClassificationParams


@attrs.frozen(kw_only=True)
class TimmReference:
    """A timm model.

    Attributes:
        architecture: its name; None where the hub has it.
        source: a folder, a file of weights, or a hub id; None for published or random weights.
    """

    architecture: str | None
    source: ModelSource | None

    @classmethod
    def of(cls, plan: Plan[ImageClassificationParams], model: LocatedModel) -> TimmReference:
        """Return the reference of a plan's model.

        Raises:
            InputError: a file of weights is given without an architecture.
        """
        architecture: str | None = None
        if model.config:
            architecture = str(model.config["architecture"])
        elif model.source is None or model.source.path is not None:
            architecture = _named_architecture(plan)
        return cls(architecture=architecture, source=model.source)

    @property
    def name(self) -> str:
        """What `timm.create_model` takes."""
        source = self.source
        if source is not None and source.path is not None and source.path.is_dir():
            return f"local-dir:{source.path}"
        return self.architecture or f"hf-hub:{source and source.hub_id}"


def _named_architecture(plan: Plan[ImageClassificationParams]) -> str:
    """Return the architecture that MODEL_PATH names, or model_type's if that is the default or not a name."""
    named, model_type = str(plan.model.model_path), str(plan.task.params.model_type)
    kind = model_type.removesuffix(TIMM_SUFFIX) if model_type != DEFAULT_MODEL_TYPE else None
    if named != DEFAULT_ARCHITECTURE and is_bare_name(named):
        return named
    if kind and not DEFAULT_ARCHITECTURE.startswith(kind):
        return kind
    if named == DEFAULT_ARCHITECTURE:
        return named
    raise InputError(
        f"MODEL_PATH: {named} is not a timm architecture, and weights need one: MODEL_PATH: NAME with "
        "LOCAL_MODEL_PATH: FILE, or model_type: NAME_timm. (To load weights over a Hugging Face model, use "
        "MODEL_CHECKPOINT.)"
    )
