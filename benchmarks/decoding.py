"""Decoders of JPEGs: images per second over Pillow as adapt reads them, and the difference of the pixels.

    python -m benchmarks.decoding --data ../shared/data [--rounds 9]

The photographs of hymenoptera, read from the file system's cache and decoded to RGB bytes in one thread, by each
decoder in turn, in another order each round. `draft` is Pillow's own: libjpeg decodes to a half, a quarter or an eighth
where the image stays as large as what is asked for, here 112 pixels; its pixels are compared after both were resized to
112 x 112. Prints one JSON object: for each decoder the images a second (the median of the rounds), processor time over
adapt's as median, least and greatest, and the greatest and mean difference of a byte.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image

from benchmarks.pairs import spread

from adapt_vision_mm.images.decoder import read_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[numpy.uint8]

OURS = "Pillow, as adapt reads"
SMALL = (112, 112)


def by_pillow(path: Path) -> Pixels:
    """Decode as every task of adapt does."""
    return numpy.asarray(read_rgb(path))


def by_draft(path: Path) -> Pixels:
    """Decode to what is at least as large as `SMALL`."""
    with Image.open(path) as image:
        image.draft("RGB", SMALL)
        return numpy.asarray(image.convert("RGB"))


def by_torchvision(path: Path) -> Pixels:
    """Decode by torchvision's libjpeg-turbo."""
    pixels: Pixels = decode_image(str(path), ImageReadMode.RGB).permute(1, 2, 0).numpy()
    return pixels


def by_opencv(path: Path) -> Pixels:
    """Decode by OpenCV's libjpeg-turbo, its blue and red swapped."""
    read: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
    pixels: Pixels = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
    return pixels


DECODERS: dict[str, Callable[[Path], Pixels]] = {
    OURS: by_pillow,
    "Pillow, draft": by_draft,
    "torchvision.io.decode_image": by_torchvision,
    "cv2.imread": by_opencv,
}


def differences(decode: Callable[[Path], Pixels], files: list[Path]) -> dict[str, Any]:
    """Return the greatest and the mean difference of a byte from adapt's."""
    greatest, means = 0, []
    for file in files:
        ours, theirs = by_pillow(file), decode(file)
        if ours.shape != theirs.shape:
            ours, theirs = (numpy.asarray(Image.fromarray(pixels).resize(SMALL)) for pixels in (ours, theirs))
        apart = numpy.abs(ours.astype(int) - theirs)
        greatest = max(greatest, int(apart.max()))
        means.append(float(apart.mean()))
    return {"greatest_difference_of_a_byte": greatest, "mean_difference_of_a_byte": round(statistics.fmean(means), 4)}


def main() -> None:
    """Decode, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    files = sorted((given.data / "hymenoptera").rglob("*.jpg"))
    seconds: dict[str, list[float]] = {name: [] for name in DECODERS}
    for number in range(given.rounds + 1):
        names = list(DECODERS)[number % len(DECODERS) :] + list(DECODERS)[: number % len(DECODERS)]
        for name in names:
            begun = time.process_time()
            for file in files:
                DECODERS[name](file)
            if number:  # the first round warms up
                seconds[name].append(time.process_time() - begun)
    told = {
        name: {
            "images_per_second": round(len(files) / statistics.median(seconds[name])),
            "time_over_adapt": spread([own / ours for own, ours in zip(seconds[name], seconds[OURS], strict=True)]),
            **differences(decode, files),
        }
        for name, decode in DECODERS.items()
    }
    versions = {name: version(name) for name in ("pillow", "torchvision", "opencv-python-headless")}
    print(json.dumps({"images": len(files), "rounds": given.rounds, **told, "versions": versions}, indent=2))


if __name__ == "__main__":
    main()
