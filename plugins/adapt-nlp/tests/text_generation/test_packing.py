"""Packing: no document of a pack depends on its neighbours, and models that would let it are found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from adapt_nlp.text_generation import attention
from adapt_nlp.text_generation.attention import BY_DOCUMENT, attend_to_packs
from adapt_nlp.text_generation.collate import CollateDocuments
from adapt_nlp.text_generation.metrics import language_metrics, token_sums
from adapt_nlp.text_generation.packing import Packs, best_fit_decreasing
from adapt_nlp.text_generation.probe import agrees_by_document, why_not_packed

IGNORED = -100
TEXTS = ("the build fails", "thank you for the report and for your patience with it", "please send the invoice today")


def loaded(folder: Path) -> tuple[Any, nn.Module]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, AutoModelForCausalLM.from_pretrained(folder).eval()


def pack(tokenizer: Any, *texts: str, restart: bool = True) -> dict[str, list[int]]:
    documents = [tokenizer(text)["input_ids"] for text in texts]
    places = [place for ids in documents for place in range(len(ids))]
    return {
        "input_ids": [token for ids in documents for token in ids],
        "labels": [label for ids in documents for label in (IGNORED, *ids[1:])],
        "position_ids": places if restart else list(range(len(places))),
    }


def last_losses(model: nn.Module, collate: Any, packs: list[dict[str, list[int]]], count: int) -> list[float]:
    """The mean loss of the last `count` tokens of each pack, all packs in one batch."""
    for row in packs:
        row["labels"] = [IGNORED] * (len(row["labels"]) - count + 1) + row["labels"][len(row["labels"]) - count + 1 :]
    with torch.no_grad():
        batch = collate(packs)
        sums = token_sums(model(**batch, use_cache=False).logits, batch["labels"])
    return (sums[:, 0] / sums[:, 2]).tolist()


@pytest.mark.parametrize("family", ["tiny_llama", "tiny_gpt2"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_document_s_loss_does_not_depend_on_its_neighbours(
    family: str, attention: str, request: pytest.FixtureRequest
) -> None:
    tokenizer, model = loaded(request.getfixturevalue(family))
    model.set_attn_implementation(attention)
    one, two, last = TEXTS
    count = len(tokenizer(last)["input_ids"])
    collate = CollateDocuments(tokenizer)
    packs = [pack(tokenizer, last), pack(tokenizer, one, last), pack(tokenizer, two, last), pack(tokenizer, *TEXTS)]
    alone, *packed = last_losses(model, collate, packs, count)
    assert packed == pytest.approx([alone] * 3, abs=1e-5)
    leaking = last_losses(model, collate, [pack(tokenizer, one, last, restart=False)], count)
    assert abs(leaking[0] - alone) > 1e-3


@pytest.mark.parametrize("family", ["tiny_llama", "tiny_gpt2"])
def test_one_row_of_many_packs_keeps_them_apart_too(family: str, request: pytest.FixtureRequest) -> None:
    tokenizer, model = loaded(request.getfixturevalue(family))
    packs = [pack(tokenizer, *TEXTS[:2]), pack(tokenizer, TEXTS[2])]
    totals = []
    for flat in (False, True):
        batch = CollateDocuments(tokenizer, flat=flat)(packs)
        with torch.no_grad():
            sums = token_sums(model(**batch, use_cache=False).logits, batch["labels"])
        totals.append(sums.sum(dim=0).tolist())
    assert totals[1] == pytest.approx(totals[0], rel=1e-5)
    assert batch["input_ids"].shape[0] == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 40), max_size=60))
def test_packs_hold_each_document_once_and_no_more_than_fits(lengths: list[int]) -> None:
    pack_of = best_fit_decreasing(lengths, 40).tolist()
    assert len(pack_of) == len(lengths)
    sizes = [sum(size for size, own in zip(lengths, pack_of, strict=True) if own == pack) for pack in {*pack_of}]
    assert sorted({*pack_of}) == list(range(len(sizes)))
    assert all(size <= 40 for size in sizes)
    # No two packs could have been one.
    assert not any(a + b <= 40 for i, a in enumerate(sizes) for b in sizes[:i])


def test_the_documents_of_packs_are_known() -> None:
    from datasets import Dataset

    rows = Dataset.from_dict({"input_ids": [[1], [2, 3], [4], [5]], "labels": [[1], [2, 3], [4], [5]]})
    packs = Packs(rows, [1, 0, 1, 2], [1, 2, 1, 1])
    assert packs.documents_of([1]) == [0, 2]
    assert packs.documents_of([2, 0]) == [3, 1]
    assert packs[1]["input_ids"] == [1, 4]


def test_a_pack_s_positions_start_anew_with_each_document() -> None:
    from datasets import Dataset

    rows = Dataset.from_dict({"input_ids": [[1, 2, 3], [4, 5]], "labels": [[IGNORED, 2, 3], [IGNORED, 5]]})
    packs = Packs(rows, [0, 0], [3, 2])
    assert packs.lengths.tolist() == [5]
    assert packs[0] == {
        "input_ids": [1, 2, 3, 4, 5],
        "labels": [IGNORED, 2, 3, IGNORED, 5],
        "position_ids": [0, 1, 2, 0, 1],
    }


@pytest.mark.parametrize("family", ["tiny_llama", "tiny_gpt2"])
def test_attending_document_by_document_changes_no_logit_and_no_gradient(
    family: str, request: pytest.FixtureRequest
) -> None:
    tokenizer, model = loaded(request.getfixturevalue(family))
    batch = CollateDocuments(tokenizer)([pack(tokenizer, *TEXTS), pack(tokenizer, *TEXTS[1:])])
    found = []
    for name in ("sdpa", BY_DOCUMENT):
        assert name == "sdpa" or attend_to_packs(model)
        assert model.config._attn_implementation == name
        model.zero_grad()
        out = model(**batch, use_cache=False)
        out.loss.backward()
        found.append((out.logits.detach(), [parameter.grad for parameter in model.parameters()]))
    (masked, gradients), (apart, others) = found
    assert torch.allclose(masked, apart, atol=1e-5)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(gradients, others, strict=True))


def test_attention_by_document_is_only_for_models_that_read_packs_the_same_with_it(tiny_llama: Path) -> None:
    tokenizer, model = loaded(tiny_llama)
    collate = CollateDocuments(tokenizer)
    assert agrees_by_document(model, collate)
    # The windows of sliding layers are within a pack: those keep the mask.
    assert agrees_by_document(qwen2(), collate)
    model.set_attn_implementation("eager")
    assert not agrees_by_document(model, collate)
    assert model.config._attn_implementation == "eager"


def test_attention_that_ignored_positions_would_be_found_out(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, model = loaded(tiny_llama)
    monkeypatch.setattr(attention, "_lengths", lambda places: [len(places)])
    assert not agrees_by_document(model, CollateDocuments(tokenizer))


def bloom() -> nn.Module:
    from transformers import BloomConfig, BloomForCausalLM

    return BloomForCausalLM(BloomConfig(vocab_size=64, hidden_size=32, n_layer=2, n_head=2))


def jamba() -> nn.Module:
    from transformers import JambaConfig, JambaForCausalLM

    return JambaForCausalLM(
        JambaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            attn_layer_period=2,
            attn_layer_offset=1,
            num_experts=1,
            num_experts_per_tok=1,
            use_mamba_kernels=False,
            pad_token_id=0,
        )
    )


def qwen2() -> nn.Module:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            use_sliding_window=True,
            sliding_window=8,
            max_window_layers=1,
        )
    )


def opt() -> nn.Module:
    from transformers import OPTConfig, OPTForCausalLM

    return OPTForCausalLM(
        OPTConfig(
            vocab_size=64,
            hidden_size=32,
            ffn_dim=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            word_embed_proj_dim=32,
            max_position_embeddings=128,
        )
    )


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (bloom, "takes no position_ids"),
        (jamba, "lets documents of a pack attend to one another"),
        # OPT makes a mask of its own where none is given, and so loses the documents' borders.
        (opt, "lets documents of a pack attend to one another"),
        (qwen2, None),
    ],
)
def test_a_model_is_asked_whether_it_keeps_documents_apart(
    build: Callable[[], nn.Module], reason: str | None, tiny_llama: Path
) -> None:
    torch.manual_seed(0)
    model = build().train()
    tokenizer, _ = loaded(tiny_llama)
    found = why_not_packed(model, CollateDocuments(tokenizer))
    assert (found is None) if reason is None else (found is not None and reason in found), found
    assert model.training


def test_a_model_in_bfloat16_passes_too(tiny_llama: Path) -> None:
    tokenizer, model = loaded(tiny_llama)
    assert why_not_packed(model.to(torch.bfloat16), CollateDocuments(tokenizer)) is None


def test_loss_and_accuracy_count_every_target_once() -> None:
    from types import SimpleNamespace

    logits = torch.randn(3, 7, 11, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[IGNORED, 1, 2, 3, 4, 5, 6], [IGNORED] * 7, [IGNORED, IGNORED, 3, IGNORED, 4, 0, IGNORED]])
    found = language_metrics(SimpleNamespace(predictions=token_sums((logits, "cache"), labels).numpy()))
    wanted = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    assert found["loss"] == pytest.approx(float(wanted), abs=1e-6)
    assert found["perplexity"] == pytest.approx(float(wanted.exp()), rel=1e-5)
    hits = logits[:, :-1].argmax(-1).eq(labels[:, 1:]).sum()
    assert found["token_accuracy"] == pytest.approx(float(hits) / 9)
