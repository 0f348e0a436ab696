"""A language model's loss without its logits: the loss and every gradient are those of the model's own forward pass."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from adapt_core.hf.loop import chunked_loss
from adapt_core.hf.loop import deferred_logits as deferral
from adapt_core.hf.loop.deferred_logits import DeferredLogits
from adapt_core.hf.loop.output_layer import deferrable_head, deferred_logits
from adapt_core.testing.equality import assert_same_gradients, float32_as_float64

from .deferral import FAMILIES, WORDS, batch_of_words, learned

pytestmark = pytest.mark.usefixtures("small_chunks")


COUNTS_TOKENS = {"llama", "llama, tied", "gpt2", "gemma2, capped logits"}


@pytest.fixture
def losses_in_chunks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of positions whose loss was computed in chunks, one for each loss."""
    positions: list[int] = []
    original = chunked_loss.loss_sum

    def counted(hidden: torch.Tensor, *others: Any) -> torch.Tensor:
        positions.append(len(hidden))
        return original(hidden, *others)

    monkeypatch.setattr(deferral, "loss_sum", counted)
    return positions


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_the_models_own(family: str, losses_in_chunks: list[int]) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    loss, gradients = learned(model, deferred=False)
    chunked, found = learned(model, deferred=True)
    assert chunked == pytest.approx(loss, rel=1e-6)
    assert_same_gradients(found, gradients, 1e-5)
    labelled = int(batch_of_words()["labels"].ne(-100).sum())
    shifted = labelled - 2  # A causal model predicts no first token, and two rows begin with a label.
    assert losses_in_chunks == [labelled if family.startswith(("t5", "bart")) else shifted]


@pytest.mark.parametrize("family", FAMILIES)
def test_in_float64_loss_and_gradients_agree_to_1e_9(family: str) -> None:
    """With norms and losses in float64, too: the own code of all but T5 and BART has the loss in float32.

    Untouched, the others agree to 2e-7.
    """
    torch.manual_seed(0)
    model = FAMILIES[family]().double()
    with float32_as_float64(model):
        loss, gradients = learned(model, deferred=False)
        chunked, found = learned(model, deferred=True)
    assert chunked == pytest.approx(loss, rel=1e-9, abs=0)
    assert {gradient.dtype for gradient in gradients.values()} == {torch.float64}
    assert_same_gradients(found, gradients, 1e-9)


@pytest.mark.parametrize("family", sorted(COUNTS_TOKENS))
def test_a_sum_over_all_tokens_of_a_step_is_divided_as_the_model_divides_it(family: str) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    loss, gradients = learned(model, deferred=False, num_items_in_batch=torch.tensor(71))
    chunked, found = learned(model, deferred=True, num_items_in_batch=torch.tensor(71))
    assert chunked == pytest.approx(loss, rel=1e-6)
    assert_same_gradients(found, gradients, 1e-5)


@pytest.mark.parametrize("capped", [True, False])
@pytest.mark.parametrize("trains", ["weight", "weight and bias", "neither"])
def test_in_float64_the_numbers_of_a_head_agree_to_1e_9(trains: str, capped: bool) -> None:
    torch.manual_seed(0)
    head = nn.Linear(8, WORDS, bias=trains == "weight and bias").double().requires_grad_(trains != "neither")
    hidden = torch.randn(2, 30, 8, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, WORDS, (60,))
    targets[::7] = -100

    def differentiated(*, deferred: bool) -> list[torch.Tensor]:
        with deferred_logits(head) if deferred else nullcontext():
            logits = torch.tanh(head(hidden) / 2) * 2 if capped else head(hidden)
        loss = cross_entropy(logits.view(-1, WORDS), targets)
        wanted = [hidden, *(parameter for parameter in head.parameters() if parameter.requires_grad)]
        return [loss.detach(), *torch.autograd.grad(loss, wanted)]

    for found, expected in zip(differentiated(deferred=True), differentiated(deferred=False), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_half_precision_is_as_near_to_float32_as_the_models_own_loss() -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama, tied"]()
    _, exact = learned(model, deferred=False)
    model.bfloat16()
    _, own = learned(model, deferred=False)
    _, found = learned(model, deferred=True)

    def distance(gradients: dict[str, torch.Tensor]) -> float:
        return sum(float((gradients[name].float() - exact[name]).square().sum()) for name in exact)

    assert distance(found) <= 1.1 * distance(own)


def test_under_autocast_loss_and_gradients_are_the_models_own() -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama"]()
    with torch.autocast("cpu", torch.bfloat16):
        loss, gradients = learned(model, deferred=False)
        chunked, found = learned(model, deferred=True)
    assert chunked == pytest.approx(loss, rel=1e-3)
    assert_same_gradients(found, gradients, 3e-2)


def test_an_adapter_on_the_head_trains_as_with_all_logits(losses_in_chunks: list[int]) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "lm_head"], init_lora_weights=False)
    model = peft.get_peft_model(FAMILIES["llama"](), config)
    loss, gradients = learned(model, deferred=False)
    chunked, found = learned(model, deferred=True)
    assert losses_in_chunks
    assert chunked == pytest.approx(loss, rel=1e-6)
    assert any("lm_head.lora_A" in name for name in found)
    assert_same_gradients(found, gradients, 1e-5)


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_on_the_head_is_peft_s_own(dora: bool, share: float, losses_in_chunks: list[int]) -> None:
    """It is drawn once for all positions, labelled or not, so that the random state goes on as without chunks."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    config = peft.LoraConfig(
        r=2, target_modules=["q_proj", "lm_head"], init_lora_weights=False, lora_dropout=share, use_dora=dora
    )
    model = peft.get_peft_model(FAMILIES["llama"](), config)

    def drawn(*, deferred: bool) -> tuple[float, dict[str, torch.Tensor], torch.Tensor]:
        torch.manual_seed(1)
        loss, gradients = learned(model, deferred=deferred)
        return loss, gradients, torch.rand(3)

    loss, gradients, after = drawn(deferred=False)
    chunked, found, after_chunks = drawn(deferred=True)
    assert losses_in_chunks
    assert chunked == pytest.approx(loss, rel=1e-6)
    assert_same_gradients(found, gradients, 1e-5)
    assert torch.equal(after_chunks, after)
    model.eval()
    with torch.no_grad(), deferred_logits(deferrable_head(model)):
        logits = model(**batch_of_words()).logits
    assert logits.hidden.shape[-1] == model.config.hidden_size, "an evaluation drops nothing"


def test_logits_with_dropout_that_are_looked_at_are_those_of_the_loss() -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, target_modules=["lm_head"], init_lora_weights=False, lora_dropout=0.5)
    model = peft.get_peft_model(FAMILIES["llama"](), config).train()
    torch.manual_seed(1)
    expected = model(**batch_of_words()).logits
    torch.manual_seed(1)
    with deferred_logits(deferrable_head(model)):
        logits = model(**batch_of_words()).logits
    torch.testing.assert_close(logits.exp(), expected.exp(), rtol=1e-5, atol=1e-6)


def test_dropout_of_two_adapters_on_the_head_keeps_all_logits() -> None:
    """Chunks would draw other masks than the whole."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["lm_head"], lora_dropout=0.1)
    model = peft.get_peft_model(FAMILIES["llama"](), config)
    model.add_adapter("other", config)
    assert deferrable_head(model) is None


def test_a_model_without_a_head_of_words_is_left_as_it_is() -> None:
    assert deferrable_head(nn.Linear(3, 4)) is None


def test_in_float16_all_logits_are_computed() -> None:
    """Gradients that are made before the loss is scaled would vanish."""
    head = nn.Linear(8, WORDS)
    with deferred_logits(head), torch.autocast("cpu", torch.float16):
        assert not isinstance(head(torch.randn(1, 4, 8)), DeferredLogits)


def test_targets_must_be_as_many_as_positions() -> None:
    head = nn.Linear(8, WORDS)
    with deferred_logits(head):
        logits = head(torch.randn(1, 4, 8)).view(-1, WORDS)
    with pytest.raises(ValueError, match="batch_size"):
        cross_entropy(logits, torch.tensor([1, 2, 3]))
