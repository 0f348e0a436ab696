"""The contract of a quantizer, checked on a plain module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from adapt_core.contracts import Quantizer
from adapt_core.errors import InputError
from adapt_core.testing.models import OnAModel, logits_of


def _bytes(model: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())


class _Adapted(nn.Module):
    """A quantized layer and an update of its weight, which is not merged yet."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        generator = torch.Generator().manual_seed(3)
        self.update = nn.Parameter(0.1 * torch.randn(base.out_features, base.in_features, generator=generator))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.base(x)
        return output + nn.functional.linear(x.float(), self.update).to(output.dtype)


class QuantizerContract(OnAModel):
    """Derive a test class and give it `make_quantizer`; override `make_model`, `batch` and `skip` for a model of yours.

    Attributes:
        tolerance: greatest mean difference of the logits, as a share of their standard deviation.
    """

    tolerance = 0.5

    @pytest.fixture
    def make_quantizer(self) -> Callable[[], Quantizer]:
        """Make the quantizer with its params."""
        raise NotImplementedError("give the contract your quantizer: override the fixture make_quantizer")

    @pytest.fixture
    def skip(self) -> tuple[str, ...]:
        """Return the names of modules that stay in full precision."""
        return ("head",)

    def test_it_becomes_smaller_and_computes_nearly_the_same(
        self,
        make_quantizer: Callable[[], Quantizer],
        make_model: Callable[[], nn.Module],
        batch: Mapping[str, Any],
        skip: tuple[str, ...],
    ) -> None:
        quantizer = make_quantizer()
        quantized = quantizer.prepare(quantizer.convert(make_model(), skip, "cpu"), gradient_checkpointing=False).eval()
        assert _bytes(quantized) < _bytes(make_model())
        with torch.no_grad():
            wanted, got = logits_of(make_model(), batch), logits_of(quantized, batch).float()
        assert (got - wanted).abs().mean() <= self.tolerance * wanted.std()

    def test_what_is_to_be_kept_stays_as_it_was(
        self, make_quantizer: Callable[[], Quantizer], make_model: Callable[[], nn.Module], skip: tuple[str, ...]
    ) -> None:
        quantized = make_quantizer().convert(make_model(), skip, "cpu")
        for name in skip:
            kept, was = quantized.get_submodule(name), make_model().get_submodule(name)
            assert type(kept) is type(was)
            for one, other in zip(kept.parameters(), was.parameters(), strict=True):
                assert torch.equal(one, other)

    def test_gradients_reach_what_lies_before_a_quantized_layer(
        self,
        make_quantizer: Callable[[], Quantizer],
        make_model: Callable[[], nn.Module],
        batch: Mapping[str, Any],
        skip: tuple[str, ...],
    ) -> None:
        quantizer = make_quantizer()
        model = quantizer.prepare(quantizer.convert(make_model(), skip, "cpu"), gradient_checkpointing=False)
        assert not any(parameter.requires_grad for parameter in model.parameters() if parameter.dtype != torch.float32)
        head = model.get_submodule(skip[0])
        head.requires_grad_(True)
        logits_of(model, batch).float().sum().backward()  # type: ignore[no-untyped-call]
        assert all(parameter.grad is not None for parameter in head.parameters())

    def test_a_dequantized_model_is_plain_and_computes_the_same(
        self,
        make_quantizer: Callable[[], Quantizer],
        make_model: Callable[[], nn.Module],
        batch: Mapping[str, Any],
        skip: tuple[str, ...],
    ) -> None:
        quantizer = make_quantizer()
        quantized = quantizer.prepare(quantizer.convert(make_model(), skip, "cpu"), gradient_checkpointing=False).eval()
        with torch.no_grad():
            expected = logits_of(quantized, batch).float()
            plain = quantizer.dequantize(quantized).eval()
            found = logits_of(plain, batch)
        assert {type(module) for module in plain.modules()} == {type(module) for module in make_model().modules()}
        assert float((found - expected).abs().max() / expected.abs().max()) < 0.05

    def test_what_an_adapter_adds_to_a_quantized_layer_merges_into_the_dequantized_one(
        self,
        make_quantizer: Callable[[], Quantizer],
        make_model: Callable[[], nn.Module],
        batch: Mapping[str, Any],
        skip: tuple[str, ...],
    ) -> None:
        quantizer = make_quantizer()
        model = quantizer.prepare(quantizer.convert(make_model(), skip, "cpu"), gradient_checkpointing=False).eval()
        plain_kinds = {name: type(module) for name, module in make_model().named_modules()}
        quantized = [name for name, module in model.named_modules() if type(module) is not plain_kinds[name]]
        for name in quantized:
            layer = model.get_submodule(name)
            assert isinstance(layer, nn.Linear), f"{name} is not a torch.nn.Linear: no adapter attaches to it"
            model.set_submodule(name, _Adapted(layer))
        logits_of(model, batch).float().sum().backward()  # type: ignore[no-untyped-call]
        adapted = {name: model.get_submodule(name) for name in quantized}
        updates = {}
        for name, layer in adapted.items():
            assert isinstance(layer, _Adapted)
            assert layer.update.grad is not None
            updates[name] = layer.update.detach()
        with torch.no_grad():
            expected = logits_of(model, batch).float()
            for name, layer in adapted.items():
                assert isinstance(layer, _Adapted)
                model.set_submodule(name, layer.base)
            model = quantizer.dequantize(model).eval()
            for name, update in updates.items():
                weight = model.get_submodule(name).weight
                assert isinstance(weight, nn.Parameter)
                assert weight.dtype == torch.float32
                weight.add_(update if weight.shape == update.shape else update.T)
            found = logits_of(model, batch)
        assert float((found - expected).abs().max() / expected.abs().max()) < 0.05

    def test_a_model_without_a_layer_to_quantize_is_refused(self, make_quantizer: Callable[[], Quantizer]) -> None:
        with pytest.raises(InputError):
            make_quantizer().convert(nn.Sequential(nn.ReLU()), (), "cpu")
