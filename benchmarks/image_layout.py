"""Training steps of convolutional networks on images in channels_last, relative to contiguous ones.

    python -m benchmarks.image_layout [--only NAME]... [--rounds 4] [--batch 8]

Each case trains two copies of a network on the same random batch of 224 pixels, one thread, in turn: channels_last
images (and weights) against contiguous ones, EfficientNet-Lite0 and ResNet-18 of timm with random weights. Prints a
JSON object for each: processor time of a step over the contiguous one's of the same round, as median, least and
greatest; the greatest relative difference of the losses of the steps; and how far loss and gradients of a first step
are from float64's in both layouts.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from typing import Any

import timm
import torch
from torch import nn

from benchmarks.pairs import spread

Step = Callable[[], float]
NETWORKS = {"EfficientNet-Lite0": "tf_efficientnet_lite0", "ResNet-18": "resnet18"}
CASES = [f"{network}, {change}" for change in ("images", "images and weights") for network in NETWORKS]


def trained(model: nn.Module, images: torch.Tensor) -> Step:
    """Return a function that runs one step and returns its loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    targets = torch.arange(len(images)) % 2

    def step() -> float:
        loss = nn.functional.cross_entropy(model(images), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def off_float64(network: str) -> dict[str, list[float]]:
    """Return how far loss and gradients of a first step are from those in float64, relative to them.

    Eight images of 96 pixels, contiguous and in channels_last: [loss, all gradients together] of each.
    """
    torch.manual_seed(0)
    model = timm.create_model(network, num_classes=2).train()
    images, targets = torch.randn(8, 3, 96, 96), torch.arange(8) % 2

    def learned(own: nn.Module, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss = nn.functional.cross_entropy(own(given), targets)
        gradients = torch.autograd.grad(loss, list(own.parameters()))
        return loss.detach().double(), torch.cat([gradient.double().flatten() for gradient in gradients])

    exact = learned(copy.deepcopy(model).double(), images.double())
    layouts = {"contiguous": images, "channels_last": images.contiguous(memory_format=torch.channels_last)}
    found = {}
    for layout, given in layouts.items():
        parts = zip(learned(copy.deepcopy(model), given), exact, strict=True)
        found[layout] = [float((part - right).norm() / right.norm()) for part, right in parts]
    return found


def compared(name: str, rounds: int, batch: int) -> dict[str, Any]:
    """Return the figures of a case, "NETWORK, images" or "NETWORK, images and weights"."""
    network, _, change = name.partition(", ")
    torch.manual_seed(0)
    model = timm.create_model(NETWORKS[network], num_classes=2).train()
    images = torch.randn(batch, 3, 224, 224)
    twin = copy.deepcopy(model)
    if change == "images and weights":
        twin = twin.to(memory_format=torch.channels_last)
    changed = trained(twin, images.contiguous(memory_format=torch.channels_last))
    plain = trained(model, images)
    ratios, differences = [], []
    for number in range(rounds + 2):
        seconds, losses = {}, {}
        for side in (plain, changed) if number % 2 else (changed, plain):
            begun = time.process_time()
            losses[side] = side()
            seconds[side] = time.process_time() - begun
        differences.append(abs(losses[changed] - losses[plain]) / abs(losses[plain]))
        if number > 1:
            ratios.append(seconds[changed] / seconds[plain])
    return {
        "case": name,
        "processor_time": spread(ratios),
        "greatest_difference_of_losses": max(differences),
        "off_float64": off_float64(NETWORKS[network]),
        "torch": torch.__version__,
    }


def main() -> None:
    """Measure the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=CASES, help="may be repeated; default: all")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.only or CASES:
        print(json.dumps(compared(name, given.rounds, given.batch)), flush=True)


if __name__ == "__main__":
    main()
