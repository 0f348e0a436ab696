"""The frozen backbone of a detector: what it makes of an image is computed once, and kept on disk.

Where nothing of the backbone trains, evaluations see the same images again and again, and so does training without
augmentation. Where nothing of the neck trains either, its outputs are kept. Later runs on the same images with the same
weights find them.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
import xxhash
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from adapt_core.contracts import Job
from adapt_core.errors import first_line
from adapt_core.hf.data.cache import cache_folder
from adapt_core.hf.frozen.store import FOLDERS, INDEX, make_room
from adapt_core.runtime.format import size

from adapt_vision_mm.openmmlab.contracts import MmDataset

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample
    from mmengine.config import Config

_GB = 10**9
_HEADS = ("bbox_head", "roi_head")
"""What a detector of mmdet has, and a pose model has not."""
_IMAGES = ("torch", "torchvision", "pillow", "opencv-python", "opencv-python-headless", "timm")
_DETECTORS = ("mmcv", "onedl-mmcv", "mmengine", "onedl-mmengine", "mmdet", "onedl-mmdetection", "adapt-vision-mm")
"""Distributions on which features may depend; of some one of two is installed."""

log = logging.getLogger(__name__)


def frozen_modules(detector: nn.Module) -> tuple[nn.Module, ...]:
    """Return what comes first in a detector and does not train: backbone and neck, the backbone, or nothing."""
    found = []
    for name in ("backbone", "neck"):
        module = getattr(detector, name, None)
        if not isinstance(module, nn.Module) or any(parameter.requires_grad for parameter in module.parameters()):
            break
        found.append(module)
    return tuple(found)


@attrs.define(eq=False)
class FrozenBackbone:
    """What is kept of the images of a run.

    Attributes:
        detector: of mmdet.
        frozen: what `frozen_modules` returned before training.
        most: bytes on disk that this process may add to a split.
        settings: what features depend on beside weights and images.
    """

    detector: Any
    frozen: Sequence[nn.Module]
    most: int
    settings: Sequence[object]
    _splits: dict[int, _Split] = attrs.field(factory=dict)

    @contextmanager
    def kept(self, split: MmDataset) -> Iterator[None]:
        """Within the context the frozen part returns what was kept of an image, or computes and keeps it.

        Args:
            split: whose images come; their pipeline is not random.
        """
        known = self._known(split)
        if known is None:
            yield
            return
        images: list[str] = []
        # The neck's outputs are what `extract_feat` returns; with a neck that trains, the backbone's are kept.
        whole = len(self.frozen) == 2 or not hasattr(self.detector, "neck")
        owner, name = (self.detector, "extract_feat") if whole else (self.detector.backbone, "forward")
        # An evaluation within training has a context of its own: what it replaces is not what training did.
        forward, compute = _own(self.detector, "forward"), _own(owner, name)

        def noted(
            inputs: object, data_samples: Sequence[DetDataSample] | None = None, *others: object, **named: object
        ) -> Any:
            images[:] = [known.stamps[sample.img_id] for sample in data_samples or ()]
            return forward(inputs, data_samples, *others, **named)

        def features(inputs: torch.Tensor) -> Any:
            still = not any(module.training for part in self.frozen for module in part.modules())
            if not still or len(images) != len(inputs):
                return compute(inputs)
            return known.folder.features(inputs, images, compute)

        with _replaced(self.detector, "forward", noted), _replaced(owner, name, features):
            yield

    def _known(self, split: MmDataset) -> _Split | None:
        if not self.frozen or self.most <= 0:
            return None
        if id(split) not in self._splits:
            try:
                stamps = {info["img_id"]: _stamp(info) for info in split.data_list}
                self._splits[id(split)] = _Split(split, stamps, _Folder.of(self._key(split), self.most, len(split)))
            except OSError as error:  # a full disk, or another user's folder
                log.info("the frozen backbone is computed each time: %s", first_line(error))
                self.most = 0
                return None
        return self._splits[id(split)]

    def _key(self, split: MmDataset) -> str:
        dataset: Any = split
        described = [
            repr(dataset.steps),
            repr(self.detector.data_preprocessor),
            [repr(part) for part in self.frozen],
            [(name, _version(name)) for name in (*_IMAGES, *_DETECTORS)],
            list(self.settings),
        ]
        digest = xxhash.xxh3_128(json.dumps(described, default=str).encode())
        buffers = [*self.detector.data_preprocessor.named_buffers()]
        for name, tensor in [*buffers, *(pair for part in self.frozen for pair in part.state_dict().items())]:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _own(module: nn.Module, name: str) -> Callable[..., Any]:
    bound: Callable[..., Any] = getattr(type(module), name).__get__(module)
    return bound


@contextmanager
def _replaced(module: nn.Module, name: str, method: Callable[..., Any]) -> Iterator[None]:
    own = vars(module)
    before = {name: own[name]} if name in own else {}
    own[name] = method
    try:
        yield
    finally:
        del own[name]
        own.update(before)


@attrs.frozen(eq=False)
class _Split:
    """A split, held so that its id stays its own; what tells the files of its images apart, by image; the files."""

    split: MmDataset
    stamps: Mapping[int, str]
    folder: _Folder


@attrs.define
class _Folder:
    """The files of a split, one for each image and padded size."""

    path: Path
    left: int
    """Bytes that it may still take."""

    @classmethod
    def of(cls, key: str, most: int, images: int) -> _Folder:
        """Make a folder, or find that of an earlier run."""
        path = cache_folder() / "frozen_images" / key
        path.mkdir(parents=True, exist_ok=True)
        taken = sum(file.stat().st_size for file in path.glob("*.safetensors"))
        (path / INDEX).write_text(json.dumps({"images": images}) + "\n", encoding="utf-8")
        make_room(path.parent, FOLDERS * most)
        left = min(most, taken + shutil.disk_usage(path).free // 2) - taken
        log.info(
            "the frozen backbone is computed once for each of %d images; %s of them are on disk, and %s more may be.",
            images,
            size(taken),
            size(max(left, 0)),
        )
        return cls(path, left)

    def features(self, inputs: torch.Tensor, images: Sequence[str], compute: Callable[[torch.Tensor], Any]) -> Any:
        """Return the features of a batch.

        Args:
            inputs: images (images, channels, height, width), padded to the largest.
            images: what tells the files of the images apart.
            compute: makes features of them.
        """
        device, height, width = inputs.device, *inputs.shape[2:]
        dtype = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else inputs.dtype
        files = [self.path / f"{image}-{height}x{width}-{dtype}.safetensors" for image in images]
        read = {number: _read(file, device) for number, file in enumerate(files)}
        found = {number: levels for number, levels in read.items() if levels is not None}
        missing = [number for number in read if number not in found]
        if missing:
            with torch.no_grad():
                computed = compute(inputs[missing])
            if not _is_by_image(computed, len(missing)):
                return compute(inputs)
            for place, number in enumerate(missing):
                found[number] = [level[place] for level in computed]
                self._keep(files[number], found[number])
        return tuple(torch.stack(level) for level in zip(*(found[number] for number in read), strict=True))

    def _keep(self, file: Path, levels: Sequence[torch.Tensor]) -> None:
        taken = sum(level.numel() * level.element_size() for level in levels)
        if taken > self.left:
            return
        self.left -= taken
        unfinished = file.with_name(f"{file.name}.part-{uuid.uuid4().hex}")
        try:
            save_file({str(number): level.contiguous() for number, level in enumerate(levels)}, unfinished)
            os.replace(unfinished, file)
        except (OSError, SafetensorError) as error:  # this only saves time: it must not end the run
            log.info("no more is kept of the frozen backbone: %s", first_line(error))
            self.left = 0
            unfinished.unlink(missing_ok=True)


def _read(file: Path, device: torch.device) -> list[torch.Tensor] | None:
    """Return the features of a file; None where there is none, or a damaged one."""
    try:
        levels = load_file(file, device=str(device))
    except (OSError, SafetensorError):
        return None
    return [levels[str(number)] for number in range(len(levels))]


def _is_by_image(features: object, images: int) -> bool:
    if not isinstance(features, tuple | list) or not features:
        return False
    return all(isinstance(level, torch.Tensor) and len(level) == images for level in features)


def _stamp(info: Mapping[str, Any]) -> str:
    """Return what tells an image's file and how it is turned, by mmdet's data info."""
    path, found = info["img_path"], Path(info["img_path"]).stat()
    described = (path, found.st_size, found.st_mtime_ns, info["as_stored"])
    return xxhash.xxh3_128_hexdigest(repr(described).encode())


def frozen_backbone_of(job: Job, config: Config) -> FrozenBackbone:
    """Return what is kept of the images of a job: nothing where it does not train, and so evaluates once.

    Args:
        job: with the model before training.
        config: of the run: a model's `repr` leaves out what has no parameters (the order of channels, levels that are
            pooled).
    """
    training, world = job.plan.training, job.world
    detector: Any = job.model
    detects = hasattr(detector, "extract_feat") and any(hasattr(detector, head) for head in _HEADS)
    frozen = frozen_modules(detector) if training.do_train and detects else ()
    parts = [config.model.get(name) for name in ("data_preprocessor", "backbone", "neck")]
    # By FUSE_CONVOLUTIONS features of evaluations are rounded otherwise.
    settings = [world.device.partition(":")[0], job.plan.task.params.fuse_convolutions, *parts]
    return FrozenBackbone(detector, frozen, int(training.frozen_cache_gb * _GB) // world.size, settings)
