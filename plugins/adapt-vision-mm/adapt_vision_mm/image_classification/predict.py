"""What a model says of image files: their labels or numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from adapt_core.errors import DataError
from adapt_core.hf.tasks.inputs import require_inputs
from adapt_core.run_folder.files import write_text

from adapt_vision_mm.images.decoder import find_defect, read_rgb
from adapt_vision_mm.images.output_files import number_outputs, shown_path

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.hf.problems.problem import Outcome, Problem

    from adapt_vision_mm.image_classification.transforms import Transform

_BATCH = 32


def classify_files(
    model: nn.Module, transform: Transform, problem: Problem, inputs: Sequence[Path], output: Path
) -> list[Outcome]:
    """Classify image files, and write them with what the model says and `predictions.json`.

    Args:
        model: in evaluation mode; see `image_logits`.
        transform: image -> float tensor (3, height, width).
        problem: that the model was trained for.
        inputs: image files.
        output: the folder to write to; created if it does not exist.

    Returns:
        for each input `image` (its path), the outcome (see `Problem.outcomes`), and `drawn` (path of the copy).
    """
    from torchvision.io import write_png

    from adapt_vision_mm.images.captions import draw_note
    from adapt_vision_mm.images.thumbnails import read_pixels

    results: list[Outcome] = []
    found = zip(inputs, _outcomes(model, transform, problem, inputs), number_outputs(output, inputs), strict=True)
    for path, outcome, drawn in found:
        write_png(draw_note(read_pixels(path), problem.told(outcome)), str(drawn))
        results.append({"image": shown_path(path), **outcome, "drawn": shown_path(drawn)})
    write_text(output / "predictions.json", json.dumps(results, indent=1, ensure_ascii=False))
    return results


def _outcomes(model: nn.Module, transform: Transform, problem: Problem, paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield the outcome of each image.

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
            yield from problem.outcomes(image_logits(model, pixels))


def _require_intact(paths: Sequence[Path], start: int) -> None:
    """Refuse the damaged images from a position on: whoever goes on without them does so once."""
    defects = ((path, find_defect(path) if number >= start else None) for number, path in enumerate(paths))
    require_inputs(
        f": {path} {defect}. Give an image, or a folder of them." if defect else None for path, defect in defects
    )


def image_logits(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Return the outputs of a model for images, float (rows, classes or numbers).

    Args:
        model: returns logits, or an output that has them as `logits`.
        pixels: (rows, 3, height, width), on any device and in any dtype.
    """
    weights = next(p for p in model.parameters() if p.dtype.is_floating_point)
    output = model(pixels.to(weights.device, weights.dtype))
    logits: torch.Tensor = getattr(output, "logits", output)
    return logits
