"""What the three OpenMMLab tasks share: finding model and data, loading, saving, drawing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import PerClass
from adapt_core.hf.models.hub import HubUpload

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.image_files import image_fault
from adapt_vision_mm.annotations.splits import require_objects, skip_counts
from adapt_vision_mm.openmmlab import availability, backbones
from adapt_vision_mm.openmmlab.config_files import CONFIG, ModelFiles, find_model, read_config
from adapt_vision_mm.openmmlab.trusted_configs import require_plain

if TYPE_CHECKING:
    import torch
    from torch import nn

_MEASURED = 2
"""Pictures of the forward pass that tells of memory; BatchNorm needs more than one."""

_HEADS = ("bbox_head", "mask_head", "rpn_head", "roi_head", "head")


class MmTask(HubUpload, ABC):
    """Base of the OpenMMLab tasks.

    Attributes:
        package: "mmdet" or "mmpose", whose configs are known by name and whose registry builds the model.
        init: "module:function" that loads a saved model without adapt.
        metrics: as in the TaskSpec.
        loss_pipeline: training's without augmentation; `fit` sets it.
    """

    package: ClassVar[str]
    init: ClassVar[str]
    metrics: ClassVar[dict[str, str]]

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loss_pipeline: list[dict[str, Any]] = []
        self.base_batch_size: int | None = None

    @cached_property
    def files(self) -> ModelFiles:
        """Config and checkpoint."""
        return find_model(self.plan, self.package)

    @cached_property
    def splits(self) -> dict[str, AnnotatedSplit]:
        """The annotated splits by name: train, val, test."""
        return self.read_splits()

    @abstractmethod
    def read_splits(self) -> dict[str, AnnotatedSplit]:
        """Reads and validates the splits that the run needs."""

    @abstractmethod
    def fit(self, config: Any) -> None:
        """Fits a config's model and pipelines to the data."""

    @abstractmethod
    def dataset(self, split: AnnotatedSplit, pipeline: Sequence[Mapping[str, Any]], training: bool) -> Any:
        """A split as a data set of the package; for training only what has objects."""

    @abstractmethod
    def results(self, sample: Any, split: Any) -> list[dict[str, Any]]:
        """One data sample's predictions as COCO results."""

    @abstractmethod
    def score(self, results: list[dict[str, Any]], split: Any) -> dict[str, float]:
        """Metrics of COCO results on a data set."""

    @abstractmethod
    def per_class(self, results: list[dict[str, Any]], split: Any) -> PerClass:
        """How each class did, from COCO results on a data set."""

    @abstractmethod
    def draw(self, image: torch.Tensor, objects: Sequence[Mapping[str, Any]], scale: float) -> torch.Tensor:
        """An image, uint8 (3, height, width), with COCO annotations or results on it, their coordinates scaled."""

    @abstractmethod
    def draw_input(self, image: torch.Tensor, sample: Any) -> torch.Tensor:
        """A model's input, uint8 RGB (3, height, width), with what its data sample holds."""

    @abstractmethod
    def meta(self) -> dict[str, Any]:
        """`dataset_meta` of a saved checkpoint."""

    def check(self) -> None:
        """OpenMMLab, config, weights and data are there, and every annotation can be used. Needs no torch."""
        availability.require_installed(self.plan.task.name, pose=self.package == "mmpose")
        if self.plan.run.save_method == "save_pretrained":
            raise InputError(
                "SAVE_METHOD: save_pretrained is for Hugging Face models. Use state_dict, safetensors or "
                "full_torch_model; a checkpoint and config for plain OpenMMLab are always written beside."
            )
        if self.plan.model.dtype not in ("auto", "float32"):
            raise InputError(
                f"DTYPE: OpenMMLab models hold their weights in float32; not {self.plan.model.dtype}. "
                "BF16: true trains in mixed precision."
            )
        _ = self.files
        backbones.check_backbone(self.plan)
        for split in self.splits.values():
            skip_counts(split)

    @cached_property
    def config(self) -> Any:
        """The config, fitted to the data and changed by cfg_options."""
        from adapt_vision_mm.openmmlab import cfg_options, model_config

        availability.import_openmmlab(self.package)
        config = read_config(self.files.config)
        model, params = config.model, self.plan.task.params
        keep_backbone = params.backbone_weights == backbones.PRETRAINED
        if params.backbone:
            backbones.use_timm(model, params.backbone, keep_backbone)
        model_config.plain_norms(model)
        model_config.unfreeze(model)
        model_config.without_downloads(model, keep_backbone)
        model_config.fit_images(model)
        for key in ("custom_hooks", "tta_model", "tta_pipeline", "load_from", "auto_scale_lr"):
            if key == "auto_scale_lr":
                self.base_batch_size = (config.get(key) or {}).get("base_batch_size")
            config.pop(key, None)
        config.default_scope = self.package
        self.fit(config)
        options = cfg_options.dotted(params.cfg_options)
        cfg_options.apply(config, {path: value for path, value in options.items() if _of_model(path)})
        model_config.fit_detections(config.model)
        return config

    def load_data(self) -> TaskData:
        """The splits as data sets of mmdet or mmpose."""
        from adapt_core.distributed.devices import first_device

        from adapt_vision_mm.openmmlab.optimizer import refuse_impossible_amp

        refuse_impossible_amp(self.plan, first_device())
        config = self.config
        sets = {
            name: self.dataset(
                split, config.train_pipeline if name == "train" else config.test_pipeline, name == "train"
            )
            for name, split in self.splits.items()
        }
        for name, made in sets.items():
            require_objects(self.splits[name], len(made))
        return TaskData(
            train=sets["train"],
            validation=sets.get("val"),
            test=sets.get("test"),
            labels=self.splits["train"].names,
            stats={name: split.stats() for name, split in self.splits.items()},
        )

    def for_loss(self, split: Any) -> Any:
        """What of a data set has objects, prepared as for training, without augmentation.

        Raises:
            DataError: nothing has.
        """
        made = self.dataset(split.annotated, self.loss_pipeline, True)
        require_objects(split.annotated, len(made))
        return made

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """The config's model, with heads for the data's classes and whatever weights fit."""
        from adapt_vision_mm.openmmlab import weights
        from adapt_vision_mm.openmmlab.model_folder import build

        try:
            with availability.quiet_warnings():
                model = build(self.config, self.package)
                model.init_weights()
        except (TypeError, KeyError, ValueError, AssertionError, AttributeError, OSError) as error:
            text = " ".join(str(error).split())[:300]
            raise InputError(f"MODEL_PATH: {self.files.config.stem} cannot be built: {text}") from error
        held: frozenset[str] = frozenset()
        if self.plan.task.params.backbone_weights not in (None, backbones.PRETRAINED):
            loaded = backbones.load_backbone(model.backbone, backbones.weights_file(self.plan))
            held |= {f"backbone.{name}" for name in loaded}
        elif self.plan.task.params.backbone_weights == backbones.PRETRAINED:
            held |= {name for name, _ in model.named_parameters() if name.startswith("backbone.")}
        if self.files.weights is not None:
            held |= weights.load_matching(model, self.files.weights)
        if not held and self.plan.method.name != "full":
            raise InputError(
                f"method {self.plan.method.name} adapts weights that were trained before, and none were given. Set "
                "LOCAL_MODEL_PATH to a checkpoint, MODEL_PATH to the model/ of a run, or backbone_weights; "
                "or use method full."
            )
        weights.says_where_from(model, held)
        new = weights.new_parameters(model, held)
        model.cfg = self.config
        model.dataset_meta = self.meta()
        if quantizer is not None:
            model = quantizer.convert(model, self.head(model), world.device)
        return LoadedModel(model=model, new_parameters=new)

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """The heads that stand behind backbone and neck."""
        children = dict(model.named_children())
        return tuple(name for name in _HEADS if name in children and any(True for _ in children[name].parameters()))

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """A detector's head is its own."""
        return True

    def make_loop(self, job: Job) -> Loop:
        """mmengine's Runner, with this task's scoring."""
        from adapt_vision_mm.openmmlab.loop import MmComponents, MmLoop

        return MmLoop(
            job,
            MmComponents(
                config=self.config,
                scope=self.package,
                for_loss=self.for_loss,
                results=self.results,
                score=self.score,
                per_class=self.per_class,
                metrics=self.metrics,
                base_batch_size=self.base_batch_size,
            ),
        )

    def load_structure(self, data: TaskData) -> LoadedModel:
        """The model as it is: detectors are small, and know their shapes only from values."""
        return self.load_model(data, None, World())

    def measured_activations(self, model: nn.Module, data: TaskData) -> int:
        """What a real forward pass of two training pictures keeps, for BATCH_SIZE of them."""
        from adapt_vision_mm.openmmlab.activation_memory import kept_bytes

        return kept_bytes(model, data.train, min(_MEASURED, len(data.train)), self.plan.training)

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Training objects of each class."""
        train = self.splits["train"]
        counts = Counter(a["category_id"] for picture in train.pictures for a in picture.annotations)
        return {category.name: counts[category.id] for category in train.categories}

    def drawn_examples(self, data: TaskData, count: int) -> bytes:
        """A few training pictures as the model sees them: varied as in the first epoch, with what is annotated."""
        from adapt_vision_mm.openmmlab.preview import training_pictures

        return training_pictures(data.train, count, self.draw_input)

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """A few validation pictures: as annotated, and with what the model finds."""
        from adapt_vision_mm.openmmlab.preview import validation_samples

        threshold = self.plan.task.params.score_threshold
        return validation_samples(model, data.validation, count, self.results, self.draw, threshold)

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Weights by SAVE_METHOD, and a checkpoint and config that plain OpenMMLab loads."""
        from adapt_vision_mm.openmmlab.model_folder import save

        held: Any = model
        save(model, held.cfg, held.dataset_meta, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        """The model that `save_model` wrote."""
        from adapt_vision_mm.openmmlab.model_folder import load

        require_plain(folder / CONFIG, self.plan.model.trust_remote_code)
        availability.import_openmmlab(self.package)
        return load(folder, self.package)

    def loading_lines(self, save_method: str) -> str:
        """Loads model and config with plain OpenMMLab."""
        from adapt_vision_mm.openmmlab.model_folder import loading_lines

        return loading_lines(save_method, self.init)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Image files, every image in folders, and the paths in .txt and .jsonl lists.

        Raises:
            InputError: an image is missing or truncated, or a folder has none.
        """
        from adapt_vision_mm.images.inputs import read_image_inputs

        return list(read_image_inputs(arguments, image_fault))


def _of_model(key: str) -> bool:
    """Whether an option is needed before the loop adds optimizer and schedule."""
    return not key.startswith(("optim_wrapper", "param_scheduler", "train_cfg"))
