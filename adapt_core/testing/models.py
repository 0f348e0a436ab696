"""A small model with a layer of each common kind, for contracts that are given none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from adapt_core.contracts import AttachContext

CLASSES = 3


class SmallNet(nn.Module):
    """Convolution, norms, two linear layers and a head: (8, 3, 8, 8) images -> (8, 3) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.stem_norm = nn.GroupNorm(2, 8)
        self.inner = nn.Linear(8, 32)
        self.norm = nn.LayerNorm(32)
        self.outer = nn.Linear(32, 16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (rows, 3) for images of shape (rows, 3, height, width)."""
        features = self.stem_norm(self.stem(images)).relu().mean((2, 3))
        logits: torch.Tensor = self.head(self.outer(self.norm(self.inner(features).relu())).relu())
        return logits


def small_net() -> nn.Module:
    """Return a `SmallNet` with the same weights at every call, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SmallNet().eval()


def small_batch() -> dict[str, torch.Tensor]:
    """Return eight random images for `SmallNet`, the same at every call."""
    return {"images": torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(1))}


def small_site() -> AttachContext:
    """Return the context of a method on `SmallNet`, whose head is new and trains."""
    return AttachContext(head=("head",), new_parameters=frozenset({"head.weight", "head.bias"}))


def logits_of(model: nn.Module, batch: Mapping[str, Any]) -> torch.Tensor:
    """Return the model's logits for keyword inputs, whether it returns them bare or as `.logits`."""
    output = model(**batch)
    logits: torch.Tensor = output if isinstance(output, torch.Tensor) else output.logits
    return logits


def train(model: nn.Module, batch: Mapping[str, Any], steps: int, lr: float) -> list[float]:
    """Train what requires a gradient with Adam on one batch with made-up targets; return the losses."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    losses = []
    model.train()
    for _ in range(steps):
        logits = logits_of(model, batch).float()
        targets = torch.arange(logits[..., 0].numel()) % min(CLASSES, logits.shape[-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, -2), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


class OnAModel:
    """The model that a contract is shown on; override both fixtures for one of your own."""

    @pytest.fixture
    def make_model(self) -> Callable[[], nn.Module]:
        """Make a base model, with the same weights at every call."""
        return small_net

    @pytest.fixture
    def batch(self) -> Mapping[str, Any]:
        """Return the model's keyword inputs."""
        return small_batch()
