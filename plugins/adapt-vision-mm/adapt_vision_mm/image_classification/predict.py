"""Classes of image files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch

from adapt_core.errors import DataError
from adapt_core.hf.tasks.inputs import require_inputs
from adapt_core.run_folder.files import write_text

from adapt_vision_mm.images.decoder import find_defect, read_rgb
from adapt_vision_mm.images.output_files import number_outputs, shown_path

if TYPE_CHECKING:
    from torch import nn

    from adapt_vision_mm.image_classification.transforms import Transform

_BATCH = 32
_BEST = 5


class Prediction(TypedDict):
    """What `adapt predict` reports of an image.

    Attributes:
        image: its path.
        label, score: the best class and its probability.
        top: the five best classes and their probabilities.
        drawn: path of the copy with the class written on it.
    """

    image: str
    label: str
    score: float
    top: dict[str, float]
    drawn: str


def classify_files(
    model: nn.Module, transform: Transform, names: Sequence[str], inputs: Sequence[Path], output: Path
) -> list[Prediction]:
    """Classify image files, and write them with their classes and `predictions.json`.

    Args:
        model: in evaluation mode; see `class_probabilities`.
        transform: image -> float tensor (3, height, width).
        names: classes by id.
        inputs: image files.
        output: the folder to write to; created if it does not exist.

    Returns:
        predictions in the order of the inputs.
    """
    from torchvision.io import write_png

    from adapt_vision_mm.images.captions import draw_note
    from adapt_vision_mm.images.thumbnails import read_pixels

    results: list[Prediction] = []
    for path, top, drawn in zip(
        inputs, _best_classes(model, transform, names, inputs), number_outputs(output, inputs), strict=True
    ):
        label = next(iter(top))
        write_png(draw_note(read_pixels(path), f"{label} {top[label]:.2f}"), str(drawn))
        results.append(
            {"image": shown_path(path), "label": label, "score": top[label], "top": top, "drawn": shown_path(drawn)}
        )
    write_text(output / "predictions.json", json.dumps(results, indent=1, ensure_ascii=False))
    return results


def _best_classes(
    model: nn.Module, transform: Transform, names: Sequence[str], paths: Sequence[Path]
) -> Iterator[dict[str, float]]:
    """Yield the best classes of each image.

    Raises:
        BadInputsError: images are damaged behind their header; it has those of all batches.
    """
    for start in range(0, len(paths), _BATCH):
        try:
            pixels = torch.stack([transform(read_rgb(path)) for path in paths[start : start + _BATCH]])
        except DataError:
            _require_intact(paths, start)
            raise
        with torch.inference_mode():
            scores, ids = class_probabilities(model, pixels).topk(min(_BEST, len(names)))
        for values, classes in zip(scores.tolist(), ids.tolist(), strict=True):
            yield {names[number]: round(value, 6) for value, number in zip(values, classes, strict=True)}


def _require_intact(paths: Sequence[Path], start: int) -> None:
    """Refuse the damaged images from a position on: whoever goes on without them does so once."""
    defects = ((path, find_defect(path) if number >= start else None) for number, path in enumerate(paths))
    require_inputs(
        f": {path} {defect}. Give an image, or a folder of them." if defect else None for path, defect in defects
    )


def class_probabilities(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Return the softmax probabilities of images, float32 (rows, classes).

    Args:
        model: returns logits, or an output that has them as `logits`.
        pixels: (rows, 3, height, width), on any device and in any dtype.
    """
    weights = next(p for p in model.parameters() if p.dtype.is_floating_point)
    output = model(pixels.to(weights.device, weights.dtype))
    probabilities: torch.Tensor = getattr(output, "logits", output).float().softmax(dim=-1)
    return probabilities
