"""CHUNKED_LOSS: the same run without the logits of a whole batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.loss.loss_utils import LOSS_MAPPING

import adapt_core
from adapt_core import api
from adapt_core.distributed.world import World
from adapt_core.estimate.activations import Kept, Recomputed, own_storages
from adapt_core.execution.components import Components
from adapt_core.hf.loop.deferred_logits import DeferredLogits
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.result import RunResult
from adapt_core.verification.training import STEPS_TO_DECIDE

from adapt_nlp.text_generation.attention import attend_to_packs
from adapt_nlp.text_generation.packs import pack_documents

CHATS = [
    {
        "messages": [
            {"role": "user", "content": f"Is {n} even?"},
            {"role": "assistant", "content": "no" if n % 2 else "yes"},
        ]
    }
    for n in range(24)
]
PAIRS = [{"document": f"one two {n} three four five", "summary": f"two {n}" + " six" * (n % 5)} for n in range(24)]

Keys = dict[str, Any]


def splits(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {"train": rows, "validation": rows[:7]}


@pytest.fixture
def all_logits(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """The shapes of logits of many positions that were computed after all."""
    shapes: list[torch.Size] = []
    original = DeferredLogits.compute

    def counted(logits: DeferredLogits) -> torch.Tensor:
        shapes.append(logits.shape)
        return original(logits)

    monkeypatch.setattr(DeferredLogits, "compute", counted)
    return shapes


@pytest.fixture
def chats(language_keys: Keys) -> Keys:
    return {**language_keys, "EPOCHS": STEPS_TO_DECIDE}


def finished(keys: Keys, rows: list[dict[str, Any]], **changes: Any) -> RunResult:
    return adapt_core.run({**keys, **changes}, data=splits(rows))


def figures(result: RunResult) -> list[float]:
    """Return the numbers of all evaluations of a run."""
    return [value for phase in ("before", "after") for _, value in sorted((result.metrics[phase] or {}).items())]


def assert_same(found: RunResult, expected: RunResult) -> None:
    """Check the numbers of all evaluations, and that the training check counts the same tensors as moved."""
    assert figures(found) == pytest.approx(figures(expected), rel=1e-5)
    assert found.training_check == expected.training_check
    assert found.training_check["verdict"] == "learned"
    assert found.training_check["moved_tensors"]


@pytest.mark.parametrize("packing", [True, False])
def test_chats_give_the_same_figures_and_no_logits(chats: Keys, packing: bool, all_logits: list[torch.Size]) -> None:
    chats |= {"packing": packing, "GRADIENT_ACCUMULATION_STEPS": 2}
    chunked = finished(chats, CHATS)
    assert all_logits == []
    assert_same(chunked, finished(chats, CHATS, CHUNKED_LOSS=False))


def likelihood(logits: torch.Tensor, labels: torch.Tensor, vocab_size: int, **_: object) -> torch.Tensor:
    """Return a causal model's loss by other functions of torch than cross_entropy."""
    scores = torch.log_softmax(logits[:, :-1].float(), -1).reshape(-1, vocab_size)
    return torch.nn.functional.nll_loss(scores, labels[:, 1:].reshape(-1), ignore_index=-100)


@pytest.mark.parametrize("own_loss", [likelihood, None])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_loss_of_another_kind_computes_all_logits_and_says_so_once(
    chats: Keys, chunked: bool, own_loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own_loss is not None:
        monkeypatch.setitem(LOSS_MAPPING, "ForCausalLM", own_loss)
    adapt_core.run({**chats, "CHUNKED_LOSS": chunked}, data=splits(CHATS))
    log = (Path(chats["OUTPUT_DIR"]) / "log.txt").read_text()
    assert log.count("CHUNKED_LOSS has no effect") == (1 if chunked and own_loss is not None else 0)


def test_smoothed_labels_give_the_same_figures_and_no_logits(chats: Keys, all_logits: list[torch.Size]) -> None:
    chats |= {"LABEL_SMOOTHING": 0.2, "GRADIENT_ACCUMULATION_STEPS": 2}
    chunked = finished(chats, CHATS)
    assert all_logits == []
    assert_same(chunked, finished(chats, CHATS, CHUNKED_LOSS=False))
    plain = figures(finished(chats, CHATS, LABEL_SMOOTHING=0))
    smoothed, half = figures(chunked), len(plain) // 2
    assert smoothed[:half] == plain[:half], "evaluations are without it"
    assert smoothed[half:] != pytest.approx(plain[half:], rel=1e-5)


@pytest.fixture(params=["tiny_t5", "tiny_bart"])
def pairs(request: pytest.FixtureRequest, tmp_path: Path) -> Keys:
    return {
        "TASK": "summarization",
        "MODEL_PATH": str(request.getfixturevalue(request.param)),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "OVERWRITE_OUTPUT_DIR": True,
        "EPOCHS": 1,
        "max_input_length": 64,
        "max_target_length": 64,
        "generation_max_length": 16,
        "predict_with_generate": False,
        "BATCH_SIZE": 4,
        "NUM_WORKERS": 0,
    }


def test_encoder_decoders_give_the_same_figures(pairs: Keys) -> None:
    assert_same(finished(pairs, PAIRS), finished(pairs, PAIRS, CHUNKED_LOSS=False))


def test_smoothed_labels_of_encoder_decoders_are_divided_by_the_tokens_of_a_step(pairs: Keys) -> None:
    pairs |= {"LABEL_SMOOTHING": 0.2, "LR": 0.01}
    whole = finished(pairs, PAIRS, BATCH_SIZE=8)
    accumulated = finished(pairs, PAIRS, GRADIENT_ACCUMULATION_STEPS=2)
    assert figures(accumulated) == pytest.approx(figures(whole), rel=1e-5)
    assert_same(whole, finished(pairs, PAIRS, BATCH_SIZE=8, CHUNKED_LOSS=False))
    plain = finished(pairs, PAIRS, BATCH_SIZE=8, LABEL_SMOOTHING=0)
    assert figures(plain) != pytest.approx(figures(whole), rel=1e-4)


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
@pytest.mark.parametrize("lean", [True, False])
def test_an_adapter_with_dropout_on_the_head_gives_the_same_figures_and_no_logits(
    chats: Keys, method: str, lean: bool, all_logits: list[torch.Size]
) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    chats |= {
        "method": method,
        "target_modules": ["q_proj", "lm_head"],
        "dropout": 0.3,
        "LEAN_LAYERS": lean,
        "LR": 0.02,
    }
    chunked = finished(chats, CHATS)
    assert all_logits == []
    assert_same(chunked, finished(chats, CHATS, CHUNKED_LOSS=False))
    assert figures(chunked) != pytest.approx(figures(finished(chats, CHATS, dropout=0.2)), rel=1e-3)
    memory = api.estimate(api.check(chats, data=splits(CHATS))).memory
    assert memory is not None
    assert memory.activations


LEAN_JOBS: dict[str, Keys] = {
    "full": {"method": "full"},
    "recomputed blocks": {"method": "full", "GRADIENT_CHECKPOINTING": True},
    "LoRA": {"method": "LoRA"},
    "LoRA on four bits": {"method": "LoRA", "load_in_4bit": True},
}


@pytest.mark.parametrize("job", LEAN_JOBS)
def test_a_run_gives_the_same_figures_as_with_all_kept(chats: Keys, job: str) -> None:
    if job.startswith("LoRA"):
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    if "bits" in job:
        pytest.importorskip("bitsandbytes")
    chats |= LEAN_JOBS[job]
    assert_same(finished(chats, CHATS), finished(chats, CHATS, LEAN_LAYERS=False, CHUNKED_LOSS=False))


@pytest.mark.parametrize("keys", [{}, {"LEAN_LAYERS": False}])
def test_adapt_check_foretells_what_is_kept(chats: Keys, keys: Keys) -> None:
    chats |= keys

    def foretold(**changes: Any) -> int:
        memory = api.estimate(api.check({**chats, **changes}, data=splits(CHATS))).memory
        assert memory is not None
        assert memory.activations is not None
        return memory.activations

    plan = api.check(chats, data=splits(CHATS))
    parts = Components.of(plan)
    task: Any = parts.task
    data = task.load_data()
    model, _ = parts.attach(plan, task.load_model(data, None, World()))
    batch = task.largest_batch(data)
    kept = Kept(own_storages(model))
    with kept.counting(model.train()), task.training_forward(model):
        model(**batch)
    assert foretold() == pytest.approx(kept.bytes, rel=0.3)
    logits = batch["input_ids"].numel() * model.config.vocab_size * 4
    assert foretold(CHUNKED_LOSS=False) - foretold() > 0.9 * logits


@pytest.mark.parametrize("keys", [{}, {"RECOMPUTE_MLP": True}])
def test_adapt_check_foretells_what_packs_of_documents_keep(chats: Keys, keys: Keys) -> None:
    """Kernels keep the results of each document, and the layer behind them keeps the joined ones."""
    plan = api.check({**chats, **keys}, data=splits(CHATS))
    memory = api.estimate(plan).memory
    assert memory is not None
    parts = Components.of(plan)
    task: Any = parts.task
    data = task.load_data()
    model, _ = parts.attach(plan, task.load_model(data, None, World()))
    assert attend_to_packs(model)
    packs = pack_documents(data.train, 512)
    kept = Kept(own_storages(model))
    with LanguageTask.training_forward(task, model), kept.counting(model.train(), Recomputed.of(plan.training)):
        model(**task.collator([packs[number] for number in range(len(packs))]))
    assert memory.activations == pytest.approx(kept.bytes, rel=0.03)  # which positions have a label, nothing tells
