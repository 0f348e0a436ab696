"""Time of torchvision's operators relative to mmcv's compiled ones.

    python -m benchmarks.operators [--rounds 40]

Needs an mmcv with compiled operators (`tox -e compiled-operators` builds one and runs this). Non-maximum suppression of
1000 boxes, and RoIAlign (forward and backward) of 256 regions, as a two-stage detector calls them. Both take turns in
every round, the order swapped from round to round. Prints one JSON object: time over the compiled operator's of the
same round, as median, least and greatest, and the greatest difference of any value.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.pairs import spread

from adapt_vision_mm.openmmlab import mmcv_ops_shim

_POOLING = {
    "aligned_height": 7,
    "aligned_width": 7,
    "spatial_scale": 0.25,
    "sampling_ratio": 0,
    "pool_mode": 1,
    "aligned": True,
}


def boxes(count: int, random: torch.Generator) -> torch.Tensor:
    """Return (count, 4) boxes of 8 to 72 pixels in an image of 512 pixels."""
    corners = torch.rand(count, 2, generator=random) * 440
    return torch.cat([corners, corners + 8 + torch.rand(count, 2, generator=random) * 64], 1)


def works() -> dict[str, Callable[[Any], torch.Tensor]]:
    """Return functions by name: each takes a module of operators and returns what it computes."""
    random = torch.Generator().manual_seed(0)
    candidates, scores = boxes(1000, random), torch.rand(1000, generator=random)
    features = torch.rand(2, 64, 128, 128, generator=random)
    rois = torch.cat([torch.arange(256).remainder(2)[:, None], boxes(256, random)], 1)
    gradient = torch.rand(256, 64, 7, 7, generator=random)
    nothing = torch.zeros(0)

    def nms(operators: Any) -> torch.Tensor:
        kept: torch.Tensor = operators.nms(candidates, scores, iou_threshold=0.6, offset=0)
        return kept

    def roi_align(operators: Any) -> torch.Tensor:
        output = torch.zeros(256, 64, 7, 7)
        operators.roi_align_forward(features, rois, output, nothing, nothing, **_POOLING)
        return output

    def roi_align_backward(operators: Any) -> torch.Tensor:
        found = torch.zeros_like(features)
        operators.roi_align_backward(gradient, rois, nothing, nothing, found, **_POOLING)
        return found

    def roi_align_step(operators: Any) -> torch.Tensor:
        roi_align(operators)
        return roi_align_backward(operators)

    return {work.__name__: work for work in (nms, roi_align, roi_align_backward, roi_align_step)}


def compared(work: Callable[[Any], torch.Tensor], sides: dict[str, Any], rounds: int) -> dict[str, float]:
    """Return times of torchvision's operators over compiled ones, and the greatest difference."""
    results = {name: work(operators) for name, operators in sides.items()}  # also warms both up
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=bool(number % 2)):
            start = time.perf_counter()
            work(sides[name])
            seconds[name].append(time.perf_counter() - start)
    ratios = [ours / theirs for ours, theirs in zip(seconds["served"], seconds["compiled"], strict=True)]
    return {**spread(ratios), "difference": float((results["served"] - results["compiled"]).abs().max())}


def main() -> None:
    """Time each operator and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    if not mmcv_ops_shim.are_compiled():
        raise SystemExit("mmcv has no compiled operators here: tox -e compiled-operators builds them")
    sides = {"served": mmcv_ops_shim, "compiled": importlib.import_module("mmcv._ext")}
    print(json.dumps({name: compared(work, sides, rounds) for name, work in works().items()}, indent=2))


if __name__ == "__main__":
    main()
