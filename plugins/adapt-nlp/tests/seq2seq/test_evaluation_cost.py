"""An evaluation that generates encodes each batch once, in larger batches than training, at equal values."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.hf.loop.encoder_outputs import encoded_once, encoder_of

Run = Callable[..., Any]
MODELS = ("tiny_t5", "tiny_bart", "tiny_bert2bert")


def loaded(folder: Path) -> Any:
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    if getattr(model.config, "decoder_start_token_id", None) is None:
        for config in (model.config, model.generation_config):
            config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 2, 3, 0
    return model


def batch_for(model: Any) -> dict[str, torch.Tensor]:
    """Return two rows of five tokens, the second padded, with labels."""
    ids = torch.arange(5, 15).reshape(2, 5) % encoder_of(model).config.vocab_size
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.flip(1)}


def encodings(model: Any) -> list[int]:
    """Return a list that grows with each computation of the encoder."""
    seen: list[int] = []
    layer = next(m for m in encoder_of(model).modules() if isinstance(m, torch.nn.ModuleList))[0]
    layer.register_forward_hook(lambda *_: seen.append(1))
    return seen


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_texts_and_losses_are_those_of_two_encodings(name: str, beams: int, request: pytest.FixtureRequest) -> None:
    model = loaded(request.getfixturevalue(name))
    batch = batch_for(model)
    seen = encodings(model)

    @torch.no_grad()
    def evaluated() -> tuple[torch.Tensor, torch.Tensor]:
        return model.generate(**batch, max_length=9, num_beams=beams), model(**batch).loss

    texts, loss = evaluated()
    assert len(seen) == 2
    with encoded_once(encoder_of(model)):
        texts_once, loss_once = evaluated()
    assert len(seen) == 3
    assert torch.equal(texts_once, texts)
    assert loss_once == loss
    evaluated()
    assert len(seen) == 5, "outside the context nothing is kept"


def test_other_tensors_and_other_arithmetic_are_encoded_anew(tiny_t5: Path) -> None:
    model = loaded(tiny_t5)
    encoder: Any = encoder_of(model)
    batch = batch_for(model)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    seen = encodings(model)
    with encoded_once(encoder), torch.no_grad():
        first = encoder(**inputs).last_hidden_state
        assert torch.equal(encoder(**inputs).last_hidden_state, first)
        assert len(seen) == 1
        encoder(input_ids=inputs["input_ids"].clone(), attention_mask=inputs["attention_mask"])
        encoder(input_ids=inputs["input_ids"])
        with torch.autocast("cpu", torch.bfloat16):
            encoder(**inputs)
        assert encoder(**inputs, output_hidden_states=True).hidden_states
        with torch.enable_grad():
            assert encoder(**inputs).last_hidden_state.requires_grad
    assert len(seen) == 6


def test_training_and_decoders_keep_nothing(tiny_t5: Path, tiny_llama: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = loaded(tiny_t5)
    encoder = encoder_of(model)
    with encoded_once(copy.deepcopy(encoder).train()), encoded_once(None):
        pass
    assert encoder is not None
    assert "forward" not in vars(encoder)
    assert encoder_of(AutoModelForCausalLM.from_pretrained(tiny_llama)) is None


def test_a_run_encodes_a_batch_once_and_takes_four_times_the_rows(
    translate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 validation rows of a run with BATCH_SIZE 2: one batch, before training, once encoded; and the same values."""
    from transformers import Seq2SeqTrainer

    sizes: list[int] = []
    step = Seq2SeqTrainer.prediction_step

    def noted(self: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        sizes.append(len(inputs["labels"]))
        seen = encodings(model)
        outcome = step(self, model, inputs, *args, **kwargs)
        assert len(seen) == 1
        return outcome

    monkeypatch.setattr(Seq2SeqTrainer, "prediction_step", noted)
    together = translate(BATCH_SIZE=2, DO_TRAIN=False)
    assert sizes == [8]
    sizes.clear()
    apart = translate(BATCH_SIZE=2, DO_TRAIN=False, EVAL_BATCH_SIZE=2)
    assert sizes == [2, 2, 2, 2]
    assert together.metrics["before"] == pytest.approx(apart.metrics["before"], abs=1e-6)
    sizes.clear()
    translate(BATCH_SIZE=2, GRADIENT_CHECKPOINTING=True, MAX_STEPS=1)
    assert set(sizes) == {2}


@pytest.mark.parametrize("name", MODELS)
def test_beams_and_a_frozen_encoder_take_fewer_rows(name: str, request: pytest.FixtureRequest) -> None:
    """Each beam has keys and values of its own, and a step that trains a head alone keeps little."""
    from adapt_nlp.seq2seq.task import generated_rows

    model = loaded(request.getfixturevalue(name))
    assert [generated_rows(model, 4, beams) for beams in (None, 1, 2, 8)] == [16, 16, 8, 4]
    model.generation_config.num_beams = 8
    assert [generated_rows(model, rows, None) for rows in (4, 64)] == [4, 64]
    model.generation_config.num_beams = 1
    for parameter in encoder_of(model).parameters():
        parameter.requires_grad = False
    assert generated_rows(model, 4, 1) == 4


def test_a_small_model_takes_more_rows_while_a_pass_s_logits_are_few(
    tiny_t5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large model rows take the time of a pass, and wait for the longest text."""
    from adapt_nlp.seq2seq import task

    model = loaded(tiny_t5)
    assert [task.generated_rows(model, rows, 1) for rows in (8, 16, 32, 200)] == [32, 64, 128, 200]
    words = int(model.lm_head.weight.shape[0])
    monkeypatch.setattr(task, "_LOGIT_BYTES", 100 * 4 * words)
    assert task.generated_rows(model, 32, 1) == 100
    monkeypatch.setattr(task, "_LOGIT_BYTES", 4 * words)
    assert task.generated_rows(model, 32, 1) == 32
    monkeypatch.undo()
    monkeypatch.setattr(task, "_SMALL", sum(parameter.numel() for parameter in model.parameters()))
    assert task.generated_rows(model, 32, 1) == 32
