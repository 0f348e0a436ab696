"""The model of a run: its config adapted to the data, built, and loaded with the weights that fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import attrs

from adapt_core.contracts import LoadedModel, Quantizer
from adapt_core.errors import InputError
from adapt_core.nn.pickles import foreign_part

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.openmmlab import availability, backbones
from adapt_vision_mm.openmmlab.config_files import ModelFiles, find_model, read_config
from adapt_vision_mm.openmmlab.contracts import ConfigAdapter, Package, Step

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.model import BaseModel
    from torch import nn

    from adapt_core.config.plan import Plan

    from adapt_vision_mm.mm_params import MmParams

_HEADS = ("bbox_head", "mask_head", "rpn_head", "roi_head", "head")
_REPLACED = ("custom_hooks", "tta_model", "tta_pipeline", "load_from", "auto_scale_lr")
"""Keys of a config that adapt decides itself."""
_OF_LOOP = ("optim_wrapper", "param_scheduler", "train_cfg")
"""Keys that the loop sets; cfg_options for them are applied there."""


@attrs.frozen(kw_only=True)
class AdaptedConfig:
    """A config that fits the data.

    Attributes:
        config: the config, changed by cfg_options.
        loss_pipeline: the pipeline of a validation loss.
        base_batch_size: the batch size that the config's learning rate was made for, or None.
    """

    config: Config
    loss_pipeline: list[Step]
    base_batch_size: int | None


class ModelBuilder:
    """Builds the model that a plan names.

    Args:
        plan: the plan.
        package: whose registry builds the model.
        adapter: adapts the config to the data.
        train: returns the training split.
    """

    def __init__(
        self, plan: Plan[MmParams], package: Package, adapter: ConfigAdapter, train: Callable[[], AnnotatedSplit]
    ) -> None:
        self._plan, self._package, self._adapter, self._train = plan, package, adapter, train

    @cached_property
    def files(self) -> ModelFiles:
        """The files of config and checkpoint."""
        return find_model(self._plan, self._package)

    @cached_property
    def adapted(self) -> AdaptedConfig:
        """The config, adapted to the data and changed by cfg_options."""
        from adapt_vision_mm.openmmlab import cfg_options, model_config
        from adapt_vision_mm.openmmlab.known_types import require_known

        availability.import_openmmlab(self._package)
        config = read_config(self.files.config)
        model, params = config.model, self._plan.task.params
        keep_backbone = params.backbone_weights == backbones.PRETRAINED
        if params.backbone:
            backbones.use_timm(model, params.backbone, pretrained=keep_backbone)
        model_config.use_plain_norms(model)
        model_config.unfreeze(model)
        model_config.remove_checkpoints(model, keep_backbone=keep_backbone)
        model_config.fit_images(model)
        base_batch_size = (config.get("auto_scale_lr") or {}).get("base_batch_size")
        config.default_scope = self._package
        loss_pipeline = self._adapter.adapt(config, self._train())
        for key in _REPLACED:
            config.pop(key, None)
        if self.files.known_types_only:
            require_known(config, self.files.config)
        options = cfg_options.flatten(params.cfg_options)
        cfg_options.apply(config, {path: value for path, value in options.items() if not path.startswith(_OF_LOOP)})
        if self._plan.foreign and not self._plan.model.trust_remote_code:
            require_known(config, self.files.config)  # cfg_options are of whoever made the run
        model_config.fit_detections(config.model)
        return AdaptedConfig(config=config, loss_pipeline=loss_pipeline, base_batch_size=base_batch_size)

    def build(self, quantizer: Quantizer | None, device: str) -> LoadedModel:
        """Build the model with heads for the data's classes, and load the weights that fit.

        Args:
            quantizer: quantizes the model outside its heads, or None.
            device: where the model will be, for the quantizer.

        Raises:
            InputError: the config cannot be built, a checkpoint does not fit, or an adapter has no trained weights to
                adapt.
        """
        from adapt_core.nn.structure import full_precision_modules

        from adapt_vision_mm.openmmlab import weights

        config = self.adapted.config
        model = self._initialised(config)
        loaded = self._load_weights(model)
        if not loaded and self._plan.method.name != "full":
            raise InputError(
                f"method {self._plan.method.name} adapts weights that were trained before, and none were given. Set "
                "LOCAL_MODEL_PATH to a checkpoint, MODEL_PATH to the model/ of a run, or backbone_weights; "
                "or use method full."
            )
        weights.log_origin(model, loaded)
        new = weights.new_parameters(model, loaded)
        model.cfg = config
        model.dataset_meta = self._adapter.dataset_meta(self._train())
        if quantizer is not None:
            model = quantizer.convert(model, full_precision_modules(head_names(model), new), device)
        self._adapter.adapt_model(model, self._train())
        return LoadedModel(model=model, new_parameters=new)

    def _initialised(self, config: Config) -> BaseModel:
        from adapt_vision_mm.openmmlab.model_folder import build

        try:
            with availability.quiet_warnings():
                model = build(config, self._package)
                model.init_weights()
        except UnpicklingError as error:
            raise InputError(
                f"MODEL_PATH: a checkpoint that {self.files.config} names is not loaded, for it could run code: it "
                f"{foreign_part(error)}. Give weights by LOCAL_MODEL_PATH or backbone_weights."
            ) from error
        except (TypeError, KeyError, ValueError, AssertionError, AttributeError, OSError) as error:
            text = " ".join(str(error).split())[:300]
            raise InputError(
                f"MODEL_PATH: {self.files.config.stem} cannot be built: {text} (Correct the config, or cfg_options.)"
            ) from error
        return model

    def _load_weights(self, model: BaseModel) -> frozenset[str]:
        """Load backbone and checkpoint, and return the names of all tensors that are no longer random."""
        from adapt_vision_mm.openmmlab import weights

        given = self._plan.task.params.backbone_weights
        loaded: frozenset[str] = frozenset()
        if given == backbones.PRETRAINED:
            loaded |= {name for name, _ in model.named_parameters() if name.startswith("backbone.")}
        elif given is not None:
            found = backbones.load_backbone(model.backbone, backbones.weights_file(self._plan, given))
            loaded |= {f"backbone.{name}" for name in found}
        if self.files.weights is not None:
            loaded |= weights.load_matching(model, self.files.weights)
        return loaded


def head_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the heads that follow backbone and neck and have parameters."""
    from adapt_core.nn.structure import has_parameters  # imports torch, which a check of the data does without

    children = dict(model.named_children())
    return tuple(name for name in _HEADS if name in children and has_parameters(children[name]))
