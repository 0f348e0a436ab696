"""Where the logits of whole batches are computed after all, a run says so once, with the reason and what they take."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax
from transformers import BertConfig, BertForSequenceClassification

from adapt_core.hf.loop.output_layer import AllLogits, deferrable_head, deferred_logits

from .deferral import FAMILIES, WORDS, batch_of_words

Said = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Return a function that returns what was said of all logits."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records if "CHUNKED_LOSS" in record.getMessage()]


def train(model: nn.Module, told: AllLogits, steps: int = 2) -> None:
    """Train on batches whose loss is the model's own."""
    head = deferrable_head(model, told)
    for _ in range(steps):
        with deferred_logits(head, told):
            model.train()(**batch_of_words()).loss.backward()


def test_a_loss_of_tokens_needs_no_word(said: Said) -> None:
    train(FAMILIES["llama"](), AllLogits())
    assert said() == []


def test_another_loss_is_told_once_with_its_cost(said: Said) -> None:
    model, told = FAMILIES["llama"](), AllLogits()
    for _ in range(2):
        with deferred_logits(deferrable_head(model, told), told):
            log_softmax(model(**batch_of_words()).logits, -1).sum().backward()
    [line] = said()
    assert "cross-entropy" in line
    assert f"{4 * WORDS} B a token" in line


def test_what_an_evaluation_makes_of_logits_is_not_told(said: Said) -> None:
    model, told = FAMILIES["llama"](), AllLogits()
    with torch.no_grad(), deferred_logits(deferrable_head(model, told), told):
        model(**batch_of_words()).logits.argmax(-1)
    assert said() == []


def test_hooks_are_told_once(said: Said) -> None:
    model = FAMILIES["llama"]()
    model.lm_head.register_full_backward_hook(lambda *_: None)
    train(model, AllLogits())
    [line] = said()
    assert "hooks into the output layer" in line


def test_float16_is_told_once(said: Said) -> None:
    head, told = nn.Linear(8, WORDS), AllLogits()
    for _ in range(2):
        with deferred_logits(head, told), torch.autocast("cpu", torch.float16):
            cross_entropy(head(torch.randn(1, 4, 8)).float().view(-1, WORDS), torch.arange(4)).backward()
    [line] = said()
    assert "float16" in line


def test_dropout_of_two_adapters_is_told(said: Said) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["lm_head"], lora_dropout=0.1)
    model = peft.get_peft_model(FAMILIES["llama"](), config)
    assert deferrable_head(model, AllLogits()) is not None
    model.add_adapter("other", config)
    assert deferrable_head(model, AllLogits()) is None
    [line] = said()
    assert "dropout in the output layer" in line


def test_an_output_layer_that_a_model_hides_is_told(said: Said) -> None:
    model = FAMILIES["llama"]()
    model.get_output_embeddings = lambda: None
    assert deferrable_head(model, AllLogits()) is None
    [line] = said()
    assert "LlamaForCausalLM" in line


def test_an_output_layer_of_another_kind_is_told(said: Said) -> None:
    model = FAMILIES["llama"]()
    model.lm_head = nn.Sequential(model.lm_head)
    assert deferrable_head(model, AllLogits()) is None
    [line] = said()
    assert "Sequential" in line


def test_a_classifier_has_no_logits_of_words(said: Said) -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    classifier = BertForSequenceClassification(BertConfig(vocab_size=WORDS, **sizes))
    assert deferrable_head(classifier, AllLogits()) is None
    assert said() == []
