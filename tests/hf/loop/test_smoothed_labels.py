"""LABEL_SMOOTHING of language models is transformers' LabelSmoother, in chunks or not, whatever the family."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax, nll_loss
from transformers.trainer_pt_utils import LabelSmoother

from adapt_core.errors import InputError
from adapt_core.hf.loop.deferred_logits import DeferredLogits
from adapt_core.hf.loop.output_layer import deferrable_head, deferred_logits
from adapt_core.hf.loop.smoothed_labels import smoothed_labels
from adapt_core.testing.equality import assert_same_gradients

from .deferral import FAMILIES, WORDS, batch_of_words

pytestmark = pytest.mark.usefixtures("small_chunks")

SHARE = 0.1
COUNTS_TOKENS = {"llama", "llama, tied", "gpt2", "gemma2, capped logits"}

Learned = tuple[float, dict[str, torch.Tensor]]


@pytest.fixture
def no_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the logits of a whole batch are computed."""

    def refuse(_: DeferredLogits) -> torch.Tensor:
        raise AssertionError("all logits are computed")

    monkeypatch.setattr(DeferredLogits, "compute", refuse)


def of_transformers(model: nn.Module, batches: list[dict[str, torch.Tensor]], items: torch.Tensor | None) -> Learned:
    """Return the losses and gradients of transformers' LabelSmoother, as its Trainer calls it."""
    model.train().zero_grad()
    shifted = not model.config.is_encoder_decoder
    total = 0.0
    for batch in batches:
        logits = model(**batch).logits
        smoother = LabelSmoother(epsilon=SHARE)
        loss = smoother({"logits": logits}, batch["labels"], shift_labels=shifted, num_items_in_batch=items)
        loss.backward()
        total += float(loss.detach())
    return total, gradients_of(model)


def of_adapt(
    model: nn.Module, batches: list[dict[str, torch.Tensor]], *, deferred: bool = True, **options: Any
) -> Learned:
    """Return those of the models' own losses with smoothed labels."""
    model.train().zero_grad()
    total = 0.0
    for batch in batches:
        head = deferrable_head(model) if deferred else None
        with smoothed_labels(SHARE, model), deferred_logits(head):
            loss = model(**batch, **options).loss
        loss.backward()
        total += float(loss.detach())
    return total, gradients_of(model)


def gradients_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_transformers(family: str, no_logits: None) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    loss, gradients = of_transformers(model, [batch_of_words()], None)
    found, others = of_adapt(model, [batch_of_words()])
    assert found == pytest.approx(loss, rel=1e-5)
    assert_same_gradients(others, gradients, 1e-5)
    plain, _ = of_adapt(model, [batch_of_words()], deferred=False)
    assert plain == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("family", sorted(COUNTS_TOKENS))
def test_accumulated_batches_are_divided_by_the_tokens_of_all(family: str, no_logits: None) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    batch = batch_of_words()
    batches = [batch, {name: values[:1, :11] for name, values in batch.items()}]
    items = sum(one["labels"][:, 1:].ne(-100).sum() for one in batches)
    assert isinstance(items, torch.Tensor)
    loss, gradients = of_transformers(model, batches, items)
    found, others = of_adapt(model, batches, num_items_in_batch=items)
    assert found == pytest.approx(loss, rel=1e-5)
    assert_same_gradients(others, gradients, 1e-5)


@pytest.mark.parametrize("capped", [True, False])
@pytest.mark.parametrize("trains", ["weight", "weight and bias", "neither"])
def test_in_float64_the_numbers_agree_to_1e_9(trains: str, capped: bool, no_logits: None) -> None:
    torch.manual_seed(0)
    head = nn.Linear(8, WORDS, bias=trains == "weight and bias").double().requires_grad_(trains != "neither")
    hidden = torch.randn(2, 30, 8, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, WORDS, (2, 30))
    targets[:, ::7] = -100

    def differentiated(*, deferred: bool) -> list[torch.Tensor]:
        with deferred_logits(head) if deferred else nullcontext():
            logits = torch.tanh(head(hidden) / 2) * 2 if capped else head(hidden)
        if deferred:
            with smoothed_labels(SHARE, head):
                loss = cross_entropy(logits.view(-1, WORDS), targets.view(-1))
        else:  # LabelSmoother's formula, which it sums up in single precision
            logs = log_softmax(logits.view(-1, WORDS), -1)[targets.view(-1).ne(-100)]
            words = targets[targets.ne(-100)]
            loss = (1 - SHARE) * nll_loss(logs, words) - SHARE * logs.mean()
        wanted = [hidden, *(parameter for parameter in head.parameters() if parameter.requires_grad)]
        return [loss.detach(), *torch.autograd.grad(loss, wanted)]

    for found, expected in zip(differentiated(deferred=True), differentiated(deferred=False), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_an_adapter_on_the_head_learns_from_smoothed_labels_too(no_logits: None) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "lm_head"], init_lora_weights=False)
    model = peft.get_peft_model(FAMILIES["llama"](), config)
    loss, gradients = of_transformers(model, [batch_of_words()], None)
    found, others = of_adapt(model, [batch_of_words()])
    assert found == pytest.approx(loss, rel=1e-5)
    assert_same_gradients(others, gradients, 1e-5)


def test_without_a_share_nothing_changes() -> None:
    logits, targets = torch.randn(4, WORDS), torch.arange(4)
    with smoothed_labels(0.0, nn.Identity()):
        assert torch.equal(cross_entropy(logits, targets), cross_entropy(logits, targets, label_smoothing=0.0))


def test_a_loss_by_other_functions_is_refused() -> None:
    model = FAMILIES["llama"]()
    with pytest.raises(InputError, match="and LlamaForCausalLM computes its own"), smoothed_labels(SHARE, model):
        nll_loss(log_softmax(torch.randn(4, WORDS), -1), torch.arange(4))
