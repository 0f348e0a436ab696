"""A language model's loss without its logits: the loss and every gradient are those of the model's own forward pass."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from adapt_core.hf.loop import chunked_loss, word_blocks
from adapt_core.hf.loop import deferred_logits as deferral
from adapt_core.hf.loop.deferred_logits import DeferredLogits
from adapt_core.hf.loop.output_layer import deferrable_head, deferred_logits, label_scores

WORDS = 97
_LLAMA = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GPT2 = {"vocab_size": WORDS, "n_embd": 32, "n_layer": 1, "n_head": 4, "bos_token_id": 1, "eos_token_id": 2}
_BART = {
    "vocab_size": WORDS,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "dropout": 0.0,
    "decoder_start_token_id": 2,
}
_T5 = {"vocab_size": WORDS, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 4, "dropout_rate": 0.0}


def _bart() -> PreTrainedModel:
    model = BartForConditionalGeneration(BartConfig(**_BART))
    model.final_logits_bias.normal_()
    return model


FAMILIES = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**_LLAMA)),
    "llama, tied": lambda: LlamaForCausalLM(LlamaConfig(**_LLAMA, tie_word_embeddings=True)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**_GPT2, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)),
    "gemma2, capped logits": lambda: Gemma2ForCausalLM(Gemma2Config(**_LLAMA, head_dim=8, final_logit_softcapping=2.0)),
    "granite, divided logits": lambda: GraniteForCausalLM(GraniteConfig(**_LLAMA, logits_scaling=3.0)),
    "cohere, scaled logits": lambda: CohereForCausalLM(CohereConfig(**_LLAMA)),
    "t5": lambda: T5ForConditionalGeneration(T5Config(**_T5, decoder_start_token_id=0)),
    "bart, a bias on the logits": _bart,
}
COUNTS_TOKENS = {"llama", "llama, tied", "gpt2", "gemma2, capped logits"}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks in a small batch, and several blocks of words, the last ones shorter."""
    monkeypatch.setattr(chunked_loss, "CHUNK_ELEMENTS", 16 * WORDS)
    monkeypatch.setattr(chunked_loss, "LEAST_POSITIONS", 16)
    monkeypatch.setattr(word_blocks, "WORDS", 40)


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


def _batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, WORDS, (3, 17), generator=generator)
    labels = ids.clone()
    labels[0, :5] = labels[2, 9:] = -100
    return {"input_ids": ids, "labels": labels}


def _learned(model: nn.Module, *, deferred: bool, **options: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """Return the loss of a batch and the gradient of each parameter."""
    model.zero_grad()
    with deferred_logits(deferrable_head(model)) if deferred else nullcontext():
        loss = model.train()(**_batch(), **options).loss
    loss.backward()
    return float(loss), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def _assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, gradient in expected.items():
        assert found[name].dtype == gradient.dtype
        torch.testing.assert_close(found[name], gradient, rtol=tolerance, atol=tolerance * largest, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_the_models_own(family: str, losses_in_chunks: list[int]) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    loss, gradients = _learned(model, deferred=False)
    chunked, found = _learned(model, deferred=True)
    assert chunked == pytest.approx(loss, rel=1e-6)
    _assert_equal(found, gradients, 1e-5)
    learned = int(_batch()["labels"].ne(-100).sum())
    shifted = learned - 2  # A causal model predicts no first token, and two rows begin with a label.
    assert losses_in_chunks == [learned if family.startswith(("t5", "bart")) else shifted]


@pytest.mark.parametrize("family", sorted(COUNTS_TOKENS))
def test_a_sum_over_all_tokens_of_a_step_is_divided_as_the_model_divides_it(family: str) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    loss, gradients = _learned(model, deferred=False, num_items_in_batch=torch.tensor(71))
    chunked, found = _learned(model, deferred=True, num_items_in_batch=torch.tensor(71))
    assert chunked == pytest.approx(loss, rel=1e-6)
    _assert_equal(found, gradients, 1e-5)


@pytest.mark.parametrize("capped", [True, False])
@pytest.mark.parametrize("trains", ["weight", "weight and bias", "neither"])
def test_in_float64_the_numbers_agree_to_1e_9(trains: str, capped: bool) -> None:
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
    _, exact = _learned(model, deferred=False)
    model.bfloat16()
    _, own = _learned(model, deferred=False)
    _, found = _learned(model, deferred=True)

    def distance(gradients: dict[str, torch.Tensor]) -> float:
        return sum(float((gradients[name].float() - exact[name]).square().sum()) for name in exact)

    assert distance(found) <= 1.1 * distance(own)


def test_under_autocast_loss_and_gradients_are_the_models_own() -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama"]()
    with torch.autocast("cpu", torch.bfloat16):
        loss, gradients = _learned(model, deferred=False)
        chunked, found = _learned(model, deferred=True)
    assert chunked == pytest.approx(loss, rel=1e-3)
    _assert_equal(found, gradients, 3e-2)


def test_an_adapter_on_the_head_trains_as_with_all_logits(losses_in_chunks: list[int]) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "lm_head"], init_lora_weights=False)
    model = peft.get_peft_model(FAMILIES["llama"](), config)
    loss, gradients = _learned(model, deferred=False)
    chunked, found = _learned(model, deferred=True)
    assert losses_in_chunks
    assert chunked == pytest.approx(loss, rel=1e-6)
    assert any("lm_head.lora_A" in name for name in found)
    _assert_equal(found, gradients, 1e-5)


def test_dropout_on_the_head_keeps_all_logits() -> None:
    """Chunks would draw other masks than the whole."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["lm_head"], lora_dropout=0.1)
    assert deferrable_head(peft.get_peft_model(FAMILIES["llama"](), config)) is None


def test_a_model_without_a_head_of_words_is_left_as_it_is() -> None:
    assert deferrable_head(nn.Linear(3, 4)) is None


OTHER_USES = {
    "log_softmax": lambda logits: log_softmax(logits, -1),
    "one position": lambda logits: logits[:, -1, :].softmax(-1),
    "some words": lambda logits: logits[..., :7],
    "a dimension behind the words": lambda logits: logits[:, :, :, None],
    "one logit": lambda logits: logits[0, 1, 2, ...],
    "a mask": lambda logits: logits[_batch()["labels"] != -100],
    "a difference": lambda logits: logits - logits.logsumexp(-1, keepdim=True),
    "a factor for each row": lambda logits: logits * torch.arange(3)[:, None, None],
    "a quotient": lambda logits: 2 / (logits + 3),
    "a bias with more dimensions": lambda logits: logits + torch.arange(1.0, WORDS + 1).view(1, 1, 1, -1),
    "by name": lambda logits: torch.tanh(input=logits),
    "a type of logits": lambda logits: torch.ones(WORDS).to(logits),
    "smoothed labels": lambda logits: cross_entropy(
        logits.flatten(0, 1), _batch()["labels"].flatten(), label_smoothing=0.1
    ),
    "words in the middle": lambda logits: cross_entropy(logits.transpose(1, 2), _batch()["labels"]),
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
            logits = model(**_batch()).logits
        assert isinstance(logits, DeferredLogits) == deferred
        used = OTHER_USES[use](logits)
        if used.requires_grad:
            used.square().sum().backward()
        return used.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    (value, gradients), (found, found_gradients) = (differentiated(deferred=deferred) for deferred in (False, True))
    torch.testing.assert_close(found, value, rtol=0, atol=1e-5)
    if gradients:
        _assert_equal(found_gradients, gradients, 1e-5)
    assert found_gradients.keys() == gradients.keys()


def test_a_loss_of_detached_logits_trains_nothing() -> None:
    model = FAMILIES["llama"]().train()
    with deferred_logits(deferrable_head(model)):
        logits = model(**_batch()).logits
    loss = cross_entropy(logits.detach().view(-1, WORDS), _batch()["input_ids"].view(-1))
    assert not loss.requires_grad


def test_logits_that_were_looked_at_still_give_a_loss_with_gradients() -> None:
    model = FAMILIES["llama"]().train()
    with deferred_logits(deferrable_head(model)):
        logits = model(**_batch()).logits
    with torch.no_grad():
        logits.argmax(-1)
    cross_entropy(logits.view(-1, WORDS), _batch()["input_ids"].view(-1)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_behind_autocast_the_logits_are_those_under_it() -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama"]().train()
    with torch.autocast("cpu", torch.bfloat16):
        expected = model(**_batch()).logits
        with deferred_logits(deferrable_head(model)):
            logits = model(**_batch()).logits
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


def test_in_float16_all_logits_are_computed() -> None:
    """Gradients that are made before the loss is scaled would vanish."""
    head = nn.Linear(8, WORDS)
    with deferred_logits(head), torch.autocast("cpu", torch.float16):
        assert not isinstance(head(torch.randn(1, 4, 8)), DeferredLogits)


def test_a_head_with_hooks_computes_its_logits() -> None:
    head = nn.Linear(8, WORDS)
    head.register_full_backward_hook(lambda *_: None)
    with deferred_logits(head):
        assert not isinstance(head(torch.randn(1, 4, 8)), DeferredLogits)


def test_targets_must_be_as_many_as_positions() -> None:
    head = nn.Linear(8, WORDS)
    with deferred_logits(head):
        logits = head(torch.randn(1, 4, 8)).view(-1, WORDS)
    with pytest.raises(ValueError, match="batch_size"):
        cross_entropy(logits, torch.tensor([1, 2, 3]))


def test_generation_within_the_context_writes_the_same() -> None:
    torch.manual_seed(0)
    model = FAMILIES["llama"]().eval()
    prompt = {"input_ids": _batch()["input_ids"], "max_new_tokens": 5, "do_sample": False}
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
    batch = _batch()
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
