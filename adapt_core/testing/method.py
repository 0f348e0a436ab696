"""The contract of a method, whatever it trains."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import nn

from adapt_core.capabilities import SupportsContinuation, SupportsPreparation
from adapt_core.contracts import AttachContext, Method
from adapt_core.errors import InputError
from adapt_core.testing.int8 import Int8
from adapt_core.testing.models import OnAModel, logits_of, small_site, train
from adapt_core.verification.training import fingerprint


def _prepared(method: Method, model: nn.Module, batch: Mapping[str, Any]) -> nn.Module:
    if isinstance(method, SupportsPreparation):
        rows = method.preparation_rows()
        if rows is not None:
            method.prepare(model, [batch] if rows else [])
    return model


class MethodContract(OnAModel):
    """Derive a test class, give it `make_method`, and override the other fixtures for a model of your own.

    Attributes:
        steps: training steps on one batch.
        lr: learning rate that lets the loss fall within them.
        merge_tolerance: greatest difference of a merged model's logits, as a share of the largest one.
    """

    steps = 8
    lr = 1e-2
    merge_tolerance = 1e-5

    @pytest.fixture
    def make_method(self) -> Callable[[], Method]:
        """Make the method with its params."""
        raise NotImplementedError("give the contract your method: override the fixture make_method")

    @pytest.fixture
    def context(self) -> AttachContext:
        """Return the context that the method attaches in."""
        return small_site()

    @pytest.fixture
    def method(self, make_method: Callable[[], Method]) -> Method:
        return make_method()

    @pytest.fixture
    def attached(
        self, method: Method, make_model: Callable[[], nn.Module], context: AttachContext, batch: Mapping[str, Any]
    ) -> nn.Module:
        """Attach, and compute the start where the method has one to compute (`SupportsPreparation`)."""
        return _prepared(method, method.attach(make_model(), context), batch)

    def test_what_it_declares_is_what_requires_a_gradient(self, method: Method, attached: nn.Module) -> None:
        declared = {name for members in method.trainable_groups(attached).values() for name in members}
        assert declared == {name for name, parameter in attached.named_parameters() if parameter.requires_grad}
        assert declared, "the method trains nothing"

    def test_new_parameters_of_the_model_train(self, attached: nn.Module, context: AttachContext) -> None:
        trained = [name for name, parameter in attached.named_parameters() if parameter.requires_grad]
        for name in context.new_parameters:
            module, _, parameter = name.rpartition(".")
            assert any(module in other and other.endswith(parameter) for other in trained), name

    def test_before_training_it_computes_what_the_base_does(
        self,
        method: Method,
        make_model: Callable[[], nn.Module],
        attached: nn.Module,
        batch: Mapping[str, Any],
    ) -> None:
        with torch.no_grad(), method.disable_adapter(attached.eval()):
            torch.testing.assert_close(logits_of(attached, batch), logits_of(make_model(), batch))

    def test_a_start_that_is_computed_is_the_same_again(
        self,
        make_method: Callable[[], Method],
        make_model: Callable[[], nn.Module],
        context: AttachContext,
        batch: Mapping[str, Any],
    ) -> None:
        def start() -> dict[str, torch.Tensor]:
            torch.manual_seed(0)
            method = make_method()
            return _prepared(method, method.attach(make_model(), context), batch).state_dict()

        first, again = start(), start()
        assert first.keys() == again.keys()
        assert all(torch.equal(again[name], tensor) for name, tensor in first.items())

    def test_the_loss_falls_and_only_what_is_declared_moves(
        self, method: Method, attached: nn.Module, batch: Mapping[str, Any]
    ) -> None:
        groups = method.trainable_groups(attached)
        start = {name: fingerprint(parameter) for name, parameter in attached.named_parameters()}
        losses = train(attached, batch, self.steps, self.lr)
        assert losses[-1] < losses[0]
        moved = {name for name, parameter in attached.named_parameters() if fingerprint(parameter) != start[name]}
        assert moved <= {name for members in groups.values() for name in members}
        for group, members in groups.items():
            assert not members or moved & set(members), f"{group} stood still"

    def test_a_saved_adapter_loads_onto_a_fresh_base(
        self,
        make_method: Callable[[], Method],
        method: Method,
        make_model: Callable[[], nn.Module],
        attached: nn.Module,
        batch: Mapping[str, Any],
        tmp_path: Path,
    ) -> None:
        train(attached, batch, self.steps, self.lr)
        if not method.save_adapter(attached, tmp_path):
            assert not list(tmp_path.iterdir()), "save_adapter wrote files and returned False"
            return
        loaded = make_method().load_adapter(make_model(), tmp_path).eval()
        with torch.no_grad():
            torch.testing.assert_close(logits_of(loaded, batch), logits_of(attached, batch))

    def test_a_saved_adapter_goes_on_where_it_ended(
        self,
        method: Method,
        make_model: Callable[[], nn.Module],
        context: AttachContext,
        attached: nn.Module,
        batch: Mapping[str, Any],
        tmp_path: Path,
    ) -> None:
        if not isinstance(method, SupportsContinuation):
            pytest.skip("the method does not go on from an adapter")
        losses = train(attached, batch, self.steps, self.lr)
        method.save_adapter(attached, tmp_path)
        other = type(method)(method.params)  # type: ignore[attr-defined]
        further = other.go_on(make_model(), context, tmp_path).eval()
        with torch.no_grad():
            torch.testing.assert_close(logits_of(further, batch), logits_of(attached, batch))
        declared = {name for members in other.trainable_groups(further).values() for name in members}
        assert declared == {name for name, parameter in further.named_parameters() if parameter.requires_grad}
        assert train(further, batch, self.steps, self.lr)[-1] < losses[-1]

    def test_a_merged_model_is_plain_and_computes_the_same(
        self, method: Method, make_model: Callable[[], nn.Module], attached: nn.Module, batch: Mapping[str, Any]
    ) -> None:
        train(attached, batch, self.steps, self.lr)
        with torch.no_grad():
            unmerged = logits_of(attached, batch)
            merged = method.merge(attached, None).eval()
            outputs = logits_of(merged, batch)
        kinds = {type(module) for module in make_model().modules()}
        assert {type(module) for module in merged.modules()} <= kinds, "a class of the method's is left"
        assert (outputs - unmerged).abs().max() <= self.merge_tolerance * unmerged.abs().max()

    def test_on_quantized_layers_of_a_third_party_it_merges_exactly_or_refuses_before_training(
        self,
        method: Method,
        make_model: Callable[[], nn.Module],
        context: AttachContext,
        batch: Mapping[str, Any],
    ) -> None:
        quantizer = Int8()
        try:
            base = quantizer.convert(make_model(), context.head, "cpu")
        except InputError as reason:
            pytest.skip(str(reason))
        base = quantizer.prepare(base, gradient_checkpointing=False)
        try:
            attached = method.attach(base, attrs.evolve(context, quantized=True))
        except InputError as reason:
            assert str(reason), "it refuses without a reason"  # noqa: PT017 - to refuse is one of two right answers
            return
        train(attached, batch, self.steps, self.lr)
        with torch.no_grad():
            unmerged = logits_of(attached, batch)
            merged = method.merge(attached, quantizer).eval()
            outputs = logits_of(merged, batch)
        kinds = {type(module) for module in make_model().modules()}
        assert {type(module) for module in merged.modules()} <= kinds, "a class of the method or quantizer is left"
        assert (outputs - unmerged).abs().max() <= self.merge_tolerance * unmerged.abs().max()

    def test_its_params_cross_processes(self, method: Method) -> None:
        params = method.params  # type: ignore[attr-defined]
        assert pickle.loads(pickle.dumps(params)) == params  # noqa: S301 - bytes of our own
