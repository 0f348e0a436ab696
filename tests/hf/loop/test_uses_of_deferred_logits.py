"""Deferred logits where anything but the loss uses them: they are those of the model."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax

from adapt_core.hf.loop import chunked_loss
from adapt_core.hf.loop import deferred_logits as deferral
from adapt_core.hf.loop.deferred_logits import DeferredLogits
from adapt_core.hf.loop.output_layer import deferrable_head, deferred_logits, label_scores
from adapt_core.testing.equality import assert_same_gradients

from .deferral import FAMILIES, WORDS, batch_of_words

pytestmark = pytest.mark.usefixtures("small_chunks")


OTHER_USES = {
    "log_softmax": lambda logits: log_softmax(logits, -1),
    "one position": lambda logits: logits[:, -1, :].softmax(-1),
    "some words": lambda logits: logits[..., :7],
    "a dimension behind the words": lambda logits: logits[:, :, :, None],
    "one logit": lambda logits: logits[0, 1, 2, ...],
    "a mask": lambda logits: logits[batch_of_words()["labels"] != -100],
    "a difference": lambda logits: logits - logits.logsumexp(-1, keepdim=True),
    "a factor for each row": lambda logits: logits * torch.arange(3)[:, None, None],
    "a quotient": lambda logits: 2 / (logits + 3),
    "a bias with more dimensions": lambda logits: logits + torch.arange(1.0, WORDS + 1).view(1, 1, 1, -1),
    "by name": lambda logits: torch.tanh(input=logits),
    "a type of logits": lambda logits: torch.ones(WORDS).to(logits),
    "smoothed labels without a mean": lambda logits: cross_entropy(
        logits.flatten(0, 1), batch_of_words()["labels"].flatten(), label_smoothing=0.1, reduction="none"
    ),
    "words in the middle": lambda logits: cross_entropy(logits.transpose(1, 2), batch_of_words()["labels"]),
    "joined": lambda logits: torch.cat([logits, logits], 1),
    "scaled": lambda logits: logits.div(0.7).tanh()[:, 1:].sum(),
    "detached": lambda logits: logits.detach().exp(),
    "in place": lambda logits: (logits * 1).mul_(2),
}


@pytest.mark.parametrize("use", OTHER_USES)
def test_any_other_use_sees_the_logits_and_their_gradients(use: str) -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama"]().train()

    def differentiated(*, deferred: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        model.zero_grad()
        with deferred_logits(deferrable_head(model)) if deferred else nullcontext():
            logits = model(**batch_of_words()).logits
        assert isinstance(logits, DeferredLogits) == deferred
        used = OTHER_USES[use](logits)
        if used.requires_grad:
            used.square().sum().backward()
        return used.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    (value, gradients), (found, found_gradients) = (differentiated(deferred=deferred) for deferred in (False, True))
    torch.testing.assert_close(found, value, rtol=0, atol=1e-5)
    if gradients:
        assert_same_gradients(found_gradients, gradients, 1e-5)
    assert found_gradients.keys() == gradients.keys()


def test_a_loss_of_detached_logits_trains_nothing() -> None:
    model = FAMILIES["llama"]().train()
    with deferred_logits(deferrable_head(model)):
        logits = model(**batch_of_words()).logits
    loss = cross_entropy(logits.detach().view(-1, WORDS), batch_of_words()["input_ids"].view(-1))
    assert not loss.requires_grad


def test_logits_that_were_looked_at_still_give_a_loss_with_gradients() -> None:
    model = FAMILIES["llama"]().train()
    with deferred_logits(deferrable_head(model)):
        logits = model(**batch_of_words()).logits
    with torch.no_grad():
        logits.argmax(-1)
    cross_entropy(logits.view(-1, WORDS), batch_of_words()["input_ids"].view(-1)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_behind_autocast_the_logits_are_those_under_it() -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama"]().train()
    with torch.autocast("cpu", torch.bfloat16):
        expected = model(**batch_of_words()).logits
        with deferred_logits(deferrable_head(model)):
            logits = model(**batch_of_words()).logits
    assert logits.dtype == expected.dtype == torch.bfloat16
    assert torch.equal(logits.clone().exp(), expected.exp())


def test_a_head_that_is_used_twice_under_autocast_gets_both_gradients() -> None:
    """Autocast keeps a parameter's cast: one without a graph would take the second gradient away."""
    torch.manual_seed(0)
    head = nn.Linear(8, WORDS)
    hidden, targets = torch.randn(2, 9, 8), torch.randint(0, WORDS, (18,))

    def gradient(*, deferred: bool) -> torch.Tensor:
        head.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            with deferred_logits(head) if deferred else nullcontext():
                loss = cross_entropy(head(hidden).view(-1, WORDS).float(), targets)
            loss = loss + head(hidden).float().square().mean()
        loss.backward()
        assert head.weight.grad is not None
        return head.weight.grad.clone()

    torch.testing.assert_close(gradient(deferred=True), gradient(deferred=False), rtol=3e-2, atol=1e-3)


def test_a_head_with_hooks_computes_its_logits() -> None:
    head = nn.Linear(8, WORDS)
    head.register_full_backward_hook(lambda *_: None)
    with deferred_logits(head):
        assert not isinstance(head(torch.randn(1, 4, 8)), DeferredLogits)


def test_generation_within_the_context_writes_the_same() -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama"]().eval()
    prompt = {"input_ids": batch_of_words()["input_ids"], "max_new_tokens": 5, "do_sample": False}
    expected = model.generate(**prompt)
    with deferred_logits(deferrable_head(model)):
        assert torch.equal(model.generate(**prompt), expected)


def test_the_head_is_its_own_again_behind_the_context() -> None:
    model = FAMILIES["llama"]()
    with pytest.raises(RuntimeError, match=r"shape|size"), deferred_logits(deferrable_head(model)):
        model.lm_head(torch.zeros(1, 2, 5)).sum()
    assert "forward" not in vars(model.lm_head)


def test_scores_of_an_evaluation_come_from_its_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = FAMILIES["gemma2, capped logits"]().eval()
    batch = batch_of_words()
    wanted = nn.functional.pad(batch["labels"], (0, 1), value=-100)[:, 1:]
    counted: list[int] = []
    original = chunked_loss.position_scores

    def scored(hidden: torch.Tensor, *others: Any) -> tuple[torch.Tensor, torch.Tensor]:
        counted.append(len(hidden))
        return original(hidden, *others)

    monkeypatch.setattr(deferral, "position_scores", scored)
    with torch.no_grad():
        losses, hits = label_scores(model(**batch).logits, wanted, -100)
        with deferred_logits(deferrable_head(model)):
            output = model(**batch)
        assert counted == [int(wanted.ne(-100).sum())]
        found, found_hits = label_scores(output.logits, wanted, -100)
        assert len(counted) == 1
        colder, _ = label_scores(output.logits / 2, wanted, -100)
    assert len(counted) == 2
    torch.testing.assert_close(found, losses)
    assert torch.equal(found_hits, hits)
    assert not torch.allclose(colder, losses)
    assert float(found.sum() / wanted.ne(-100).sum()) == pytest.approx(float(output.loss), rel=1e-6)
