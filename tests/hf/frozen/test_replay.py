"""A model computes the same from what was kept of its frozen part: scores, losses and every gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any

import numpy
import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch
import transformers
from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.hf.frozen.replay import Recorded
from adapt_core.hf.frozen.rows import span_of
from adapt_core.hf.frozen.trial import Runner, try_frozen
from adapt_core.methods.last_layer import LastLayer
from adapt_core.methods.params import LastLayerParams
from adapt_core.nn.structure import find_head
from adapt_core.testing.equality import assert_same_gradients, float32_as_float64

WORDS, PAD, CLASSES = 64, 0, 3
LENGTHS = (9, 4, 6, 11, 5, 7)
WHOLE: Mapping[int, int] = MappingProxyType({})
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-9}
"""Of each gradient, relative to its largest number."""

SIZES = {
    "vocab_size": WORDS,
    "num_labels": CLASSES,
    "pad_token_id": PAD,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
}
GPT2 = {"n_embd": 16, "n_layer": 3, "n_head": 2, "vocab_size": WORDS, "num_labels": CLASSES, "pad_token_id": PAD}
T5 = {
    "vocab_size": WORDS,
    "num_labels": CLASSES,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 2,
    "num_heads": 2,
    "pad_token_id": PAD,
    "eos_token_id": 1,
    "decoder_start_token_id": PAD,
}
GEMMA2 = {**SIZES, "num_key_value_heads": 1, "head_dim": 8, "attn_logit_softcapping": 2.0, "eos_token_id": 1}
BART = {
    "vocab_size": WORDS,
    "num_labels": CLASSES,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 64,
    "pad_token_id": PAD,
    "eos_token_id": 1,
    "decoder_start_token_id": 1,
}
FAMILIES = {
    "bert": ("BertConfig", "BertForSequenceClassification", SIZES),
    "bert tags": ("BertConfig", "BertForTokenClassification", SIZES),
    "bert answers": ("BertConfig", "BertForQuestionAnswering", {**SIZES, "num_labels": 2}),
    "roberta": ("RobertaConfig", "RobertaForSequenceClassification", {**SIZES, "pad_token_id": 0}),
    "distilbert": (
        "DistilBertConfig",
        "DistilBertForSequenceClassification",
        {"vocab_size": WORDS, "num_labels": CLASSES, "dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 24},
    ),
    "albert": ("AlbertConfig", "AlbertForSequenceClassification", {**SIZES, "embedding_size": 8}),
    "gpt2": ("GPT2Config", "GPT2ForSequenceClassification", GPT2),
    "llama": ("LlamaConfig", "LlamaForSequenceClassification", SIZES),
    "t5": ("T5Config", "T5ForSequenceClassification", T5),
    "gemma2, capped attention": ("Gemma2Config", "Gemma2ForSequenceClassification", GEMMA2),
    "bart": ("BartConfig", "BartForSequenceClassification", BART),
}
IMAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vit": (
        "ViTConfig",
        "ViTForImageClassification",
        {**{k: SIZES[k] for k in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")},
         "image_size": 16, "patch_size": 8, "num_labels": CLASSES},
    ),
    "convnext": (
        "ConvNextConfig",
        "ConvNextForImageClassification",
        {"hidden_sizes": [4, 8], "depths": [1, 2], "num_stages": 2, "num_labels": CLASSES},
    ),
    "resnet": (
        "ResNetConfig",
        "ResNetForImageClassification",
        {"embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 2], "layer_type": "basic", "num_labels": CLASSES},
    ),
}  # fmt: skip


class Texts:
    """Rows of random tokens of uneven length, padded on the right or the left."""

    key = "texts"

    def __init__(self, *, left: bool = False, lengths: Sequence[int] = LENGTHS) -> None:
        generator = torch.Generator().manual_seed(0)
        self.ids = [torch.randint(3, WORDS, (length,), generator=generator) for length in lengths]
        for row in self.ids:
            row[-1] = 1  # T5 and BART classify by their end token
        self.lengths = numpy.array(lengths)
        self.left = left

    def __len__(self) -> int:
        return len(self.ids)

    def batches(
        self, rows: Sequence[Sequence[int]], cuts: Mapping[int, int] = WHOLE
    ) -> Iterator[Mapping[str, torch.Tensor]]:
        for numbers in rows:
            own = {number: self.ids[number][-cuts.get(number, 0) :] for number in numbers}
            width = max(map(len, own.values()))
            ids = torch.full((len(numbers), width), PAD)
            for place, number in enumerate(numbers):
                row = own[number]
                ids[place, width - len(row) :] = row if self.left else ids[place, width - len(row) :]
                if not self.left:
                    ids[place, : len(row)] = row
            yield {"input_ids": ids, "attention_mask": ids.ne(PAD).long()}

    def numbered(self) -> Any:
        raise NotImplementedError

    def stand_ins(self, rows: int) -> Mapping[str, torch.Tensor]:
        return {}


class Images(Texts):
    """Random images of 16 by 16 pixels."""

    key = "images"
    lengths = None  # type: ignore[assignment]

    def __init__(self, dtype: torch.dtype) -> None:
        self.pixels = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=dtype)

    def __len__(self) -> int:
        return len(self.pixels)

    def batches(
        self, rows: Sequence[Sequence[int]], cuts: Mapping[int, int] = WHOLE
    ) -> Iterator[Mapping[str, torch.Tensor]]:
        for numbers in rows:
            yield {"pixel_values": self.pixels[list(numbers)]}


def made(family: tuple[str, str, dict[str, Any]], layers: int = 1, *, dropout: bool = False) -> nn.Module:
    """Return a model with random weights, of which the last layers train."""
    config, model, sizes = family
    torch.manual_seed(0)
    network: nn.Module = getattr(transformers, model)(getattr(transformers, config)(**sizes))
    params = LastLayerParams(last_layers=layers, frozen_dropout=dropout)
    return LastLayer(params).attach(network, AttachContext(head=find_head(network)))


def tried(model: nn.Module, source: Any) -> Recorded | str | None:
    return try_frozen(Runner(model, lambda batch: batch, nullcontext), source)


def gradients(model: nn.Module, inputs: Mapping[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return scores and gradients of a training step, with the dropout of a fixed seed."""
    model.train()
    model.zero_grad()
    torch.manual_seed(1)
    found = Runner(model, dict, nullcontext).scores(inputs)
    mask = inputs.get("attention_mask")
    if mask is not None:  # scores of padding are ignored
        found = [score[mask.bool()] if score.shape[:2] == mask.shape else score for score in found]
    scores = torch.cat([score.flatten() for score in found])
    scores.square().sum().backward()
    return scores, {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def assert_same(model: nn.Module, source: Any, first: Any = None) -> Recorded:
    """Check a training step from what was kept against one that computes everything.

    In a model of float64 norms and softmax are in float64, too, which families compute in float32 by their own code.

    Args:
        model: the model.
        source: the rows of the step.
        first: the rows that the model was tried on, if others.
    """
    tolerance = TOLERANCES[next(model.parameters()).dtype]
    with nullcontext() if tolerance > 1e-9 else float32_as_float64(model):
        return _assert_same(model, source, tolerance, first)


def _assert_same(model: nn.Module, source: Any, tolerance: float, first: Any) -> Recorded:
    recorded = tried(model, first or source)
    assert isinstance(recorded, Recorded), recorded
    values = []
    model.eval()
    for [inputs] in ([batch] for number in range(len(source)) for batch in source.batches([[number]])):
        calls, _ = Runner(model, dict, nullcontext).calls(recorded.modules, inputs)
        values.append(recorded.take(calls, span_of(inputs)))
    [inputs] = source.batches([range(len(source))])
    expected, wanted = gradients(model, inputs)
    span = span_of(inputs)
    stacked = [torch.cat(parts) for parts in zip(*values, strict=True)]
    with recorded.replayed(recorded.batch(stacked, len(source), span, torch.device("cpu"))):
        found, got = gradients(model, inputs)
    of_scores = min(tolerance, 1e-6)
    torch.testing.assert_close(found, expected, rtol=of_scores, atol=of_scores)
    assert_same_gradients(got, wanted, tolerance)
    return recorded


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_from_what_was_kept_have_equal_scores_and_gradients(family: str) -> None:
    assert_same(made(FAMILIES[family]), Texts())
    assert_same(made(FAMILIES[family]).double(), Texts())


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2", "llama", "gemma2, capped attention"])
def test_last_blocks_start_from_the_tokens_of_the_block_before(family: str) -> None:
    recorded = assert_same(made(FAMILIES[family], layers=2).double(), Texts())
    assert [kept.form for kept in recorded.kept] == ["tokens"]


def test_the_last_blocks_of_a_decoder_start_from_the_encoder_too() -> None:
    recorded = assert_same(made(FAMILIES["bart"], layers=2).double(), Texts())
    assert [kept.form for kept in recorded.kept] == ["tokens", "tokens"]


@pytest.mark.parametrize("family", IMAGES)
@pytest.mark.parametrize("layers", [1, 2])
def test_images_from_what_was_kept_have_equal_scores_and_gradients(family: str, layers: int) -> None:
    assert_same(made(IMAGES[family], layers), Images(torch.float32))
    assert_same(made(IMAGES[family], layers).double(), Images(torch.float64))


def test_the_head_keeps_its_dropout() -> None:
    config = {**SIZES, "classifier_dropout": 0.5}
    model = made(("BertConfig", "BertForSequenceClassification", config))
    recorded = assert_same(model, Texts())
    assert model.get_submodule("dropout") not in recorded.modules


@pytest.mark.parametrize(
    ("family", "form", "rest"),
    [("bert", "row", (16,)), ("distilbert", "first", (16,)), ("gpt2", "last", (16,)), ("bert tags", "tokens", (16,))],
)
def test_no_more_is_kept_than_the_head_uses(family: str, form: str, rest: tuple[int, ...]) -> None:
    recorded = tried(made(FAMILIES[family]), Texts())
    assert isinstance(recorded, Recorded)
    assert [(kept.form, kept.rest) for kept in recorded.kept] == [(form, rest)]


def test_padding_on_the_left_is_kept_by_token() -> None:
    assert_same(made(FAMILIES["llama"]), Texts(left=True))


def test_a_model_whose_rows_depend_on_padding_is_computed_at_every_step() -> None:
    found = tried(made(FAMILIES["gpt2"]), Texts(left=True))  # its positions count the padding
    assert isinstance(found, str)
    assert "other rows" in found


def test_dropout_in_the_frozen_part_is_kept_where_it_is_wanted() -> None:
    found = tried(made(FAMILIES["bert"], dropout=True), Texts())
    assert isinstance(found, str)
    assert "dropout" in found
    model = made(FAMILIES["bert"])
    model.train()
    [inputs] = Texts().batches([[0, 1]])
    base: Any = model.base_model
    assert torch.equal(base(**inputs)[0], base(**inputs)[0])


def test_a_model_that_trains_from_its_first_layer_is_computed_at_every_step() -> None:
    model = made(FAMILIES["bert"])
    model.get_parameter("bert.embeddings.word_embeddings.weight").requires_grad_(True)
    found = tried(model, Texts())
    assert isinstance(found, str)
    assert "before the first module that trains" in found


@pytest.mark.parametrize("family", ["bert", "bert tags", "gpt2", "llama"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("lengths", [(8,) * 6, (10, 8, 8, 8, 8), (8, 4)])
def test_a_trial_on_rows_of_one_length_holds_for_others(family: str, layers: int, lengths: tuple[int, ...]) -> None:
    assert_same(made(FAMILIES[family], layers), Texts(), first=Texts(lengths=lengths))


def test_a_trial_on_rows_of_one_length_sees_what_padding_does() -> None:
    found = tried(made(FAMILIES["gpt2"], 2), Texts(left=True, lengths=(8,) * 6))
    assert isinstance(found, str)
    assert "other rows" in found


class Widths(nn.Module):
    """A frozen layer that returns a plain number beside its tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 16)

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, int]:
        return self.layer(states), states.shape[1]


class Means(nn.Module):
    """A classifier of means over a width that its frozen part tells as a plain number."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 16, padding_idx=PAD)
        self.widths = Widths()
        self.head = nn.Linear(16, CLASSES)
        self.words.requires_grad_(False)
        self.widths.requires_grad_(False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states, width = self.widths(self.words(input_ids) * attention_mask[..., None])
        found: torch.Tensor = self.head((states * attention_mask[..., None]).sum(1) / width)
        return found


def test_plain_values_that_change_with_the_batch_are_not_kept() -> None:
    found = tried(Means(), Texts())
    assert isinstance(found, str)
    assert "from batch to batch" in found


def test_half_weights_are_computed_at_every_step() -> None:
    found = tried(made(FAMILIES["bert"]).bfloat16(), Texts())
    assert isinstance(found, str)
    assert "full precision" in found


def test_a_dependence_on_padding_shows_in_small_scores() -> None:
    model = made(FAMILIES["gpt2"])
    with torch.no_grad():
        model.get_parameter("score.weight").mul_(1e-5)
    found = tried(model, Texts(left=True))
    assert isinstance(found, str)
