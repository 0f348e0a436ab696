#!/usr/bin/env bash
# torchvision_keypoints: a flip moves key points as pixels, a turn by 90 degrees as corners of pixels
# packages: torchvision==0.29.2 torch==2.15.0
# guess: KeyPoints count pixels: a flip gives W - 1 - x, and a turn and a change of size follow the same pixels.
# seen: The flip gives W - 1 - x, so that the point stays on its pixel. A turn by 90 degrees gives W - x: off by one
#   pixel, and out of the picture for x = 0. Doubling the size gives 2 x where the centre of the pixel lies at 2 x +
#   0.5.
# matters: Poses trained with turns as augmentation learn points up to a pixel off the flipped ones, which shows on
#   small pictures and at strict OKS. Turn the pixels and points by a function of your own, or flip only.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from seen import seen
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

HEIGHT, WIDTH = 60, 80


def pixel_and_point(x, y, change):
    """Change a picture with one white pixel and the point on it: the pixel's centre and the point, as indexes."""
    picture = torch.zeros(1, HEIGHT, WIDTH)
    picture[0, y, x] = 1
    moved = change(tv_tensors.Image(picture))[0]
    rows, columns = torch.meshgrid(torch.arange(moved.shape[0]), torch.arange(moved.shape[1]), indexing="ij")
    pixel = [round(float((at * moved).sum() / moved.sum()), 2) for at in (columns, rows)]
    point = change(tv_tensors.KeyPoints(torch.tensor([[float(x), float(y)]]), canvas_size=(HEIGHT, WIDTH)))
    return pixel, point[0].tolist()


def turn(what):
    return functional.rotate(what, 90, expand=True)


def double(what):
    return functional.resize(what, [2 * HEIGHT, 2 * WIDTH])


seen("flip", pixel_and_point(10, 20, functional.horizontal_flip), ([69.0, 20.0], [69.0, 20.0]))
seen("turn", pixel_and_point(10, 20, turn), ([20.0, 69.0], [20.0, 70.0]))
seen("turn at the border of a picture that is then 80 high", pixel_and_point(0, 20, turn), ([20.0, 79.0], [20.0, 80.0]))
seen("double", pixel_and_point(10, 20, double), ([20.5, 40.5], [20.0, 40.0]))
PY
