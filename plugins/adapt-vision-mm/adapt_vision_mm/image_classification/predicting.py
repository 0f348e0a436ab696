"""Classes of image files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.run_folder.files import write_text

from adapt_vision_mm.images.decoder import read_rgb
from adapt_vision_mm.images.output_files import number_outputs

if TYPE_CHECKING:
    from torch import nn

_AT_ONCE = 32
_SHOWN = 5


def classify(
    model: nn.Module, transform: Callable[[Any], Any], names: Sequence[str], inputs: Iterable[Any], drawings: Path
) -> list[dict[str, Any]]:
    """Predictions in the order of the inputs; scores are softmax probabilities.

    Args:
        model: returns logits, or an output that holds them as `logits`.
        transform: image -> float tensor (3, height, width).
        names: classes by id.
        inputs: paths.
        drawings: folder for the images with their classes written on them, and `predictions.json`.
    """
    import torch

    paths = [Path(item) for item in inputs]
    parameter = next(p for p in model.parameters() if p.dtype.is_floating_point)
    results: list[dict[str, Any]] = []
    with torch.inference_mode():
        for start in range(0, len(paths), _AT_ONCE):
            chunk = paths[start : start + _AT_ONCE]
            pixels = torch.stack([transform(read_rgb(path)) for path in chunk]).to(parameter.device, parameter.dtype)
            output = model(pixels)
            probabilities = getattr(output, "logits", output).float().softmax(dim=-1)
            scores, ids = probabilities.topk(min(_SHOWN, len(names)))
            for path, values, classes in zip(chunk, scores.tolist(), ids.tolist(), strict=True):
                top = {names[number]: round(score, 6) for score, number in zip(values, classes, strict=True)}
                results.append(
                    {"image": str(path), "label": names[classes[0]], "score": round(values[0], 6), "top": top}
                )
    for result, path, drawn in zip(results, paths, number_outputs(drawings, paths), strict=True):
        draw(path, f"{result['label']} {result['score']:.2f}", drawn)
        result["drawn"] = str(drawn)
    write_text(drawings / "predictions.json", json.dumps(results, indent=1, ensure_ascii=False))
    return results


def draw(path: Path, text: str, output: Path) -> None:
    """Writes an image with a line of text on its upper edge."""
    from PIL import ImageDraw, ImageFont

    image = read_rgb(path)
    font = ImageFont.load_default(max(10, image.height // 16))
    canvas = ImageDraw.Draw(image)
    left, top, right, bottom = canvas.textbbox((4, 2), text, font=font)
    canvas.rectangle((left - 4, top - 2, right + 4, bottom + 2), fill=(20, 20, 20))
    canvas.text((4, 2), text, font=font, fill=(255, 255, 255))
    image.save(output)
