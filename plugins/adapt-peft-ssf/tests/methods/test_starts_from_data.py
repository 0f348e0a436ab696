"""Starts that are computed once the adapter is attached: eva, corda and lora_ga from data, loftq from rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

import adapt_core
from adapt_core.errors import InputError, InterruptedRunError

from ..adapters import context, make, quantizer
from ..jobs import config
from ..models import CASES, logits, train

STARTS = ("eva", "corda", "lora_ga")


def batches(case: str) -> list[dict[str, Any]]:
    """Batches with labels, as a task gives them; the last tokens of each row are padding."""
    made = []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(5, 60, (8, 12), generator=generator)
        labels = tokens if case == "llama" else torch.randint(0, 3, (8,), generator=generator)
        mask = torch.ones_like(tokens)
        mask[:, 9:] = 0
        made.append({"input_ids": tokens, "attention_mask": mask, "labels": labels})
    return made


def prepared(start: str, case: str = "bert", method: str = "LoRA", **values: Any) -> tuple[Any, Any]:
    made = make(method, init_lora_weights=start, **{"r": 4, "alpha": 8, **values})
    torch.manual_seed(3)
    model = made.attach(CASES[case].seeded(), CASES[case].context)
    made.prepare(model, batches(case))
    return made, model.eval()


def layers(model: Any) -> dict[str, Any]:
    return {name: m for name, m in model.named_modules() if isinstance(m, LoraLayer)}


@pytest.mark.parametrize("method", ["LoRA", "DoRA"])
@pytest.mark.parametrize("case", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize("start", STARTS)
def test_behind_each_start_the_model_is_the_base_and_what_is_saved_and_merged_is_what_was_trained(
    start: str, case: str, method: str, tmp_path: Path
) -> None:
    made, model = prepared(start, case, method)
    inputs = CASES[case].inputs()
    plain = logits(CASES[case].seeded(), inputs)
    with made.disable_adapter(model):
        assert (logits(model, inputs) - plain).abs().max() < 1e-4
    assert (logits(model, inputs) - plain).abs().max() < 1e-4, "before training it computes what the base does"
    losses = train(model, inputs, steps=8)
    assert losses[-1] < losses[0]
    trained = logits(model, inputs)
    made.save_adapter(model, tmp_path)
    torch.manual_seed(77)
    loaded = PeftModel.from_pretrained(CASES[case].seeded(), str(tmp_path)).eval()
    assert (logits(loaded, inputs) - trained).abs().max() < 1e-4
    assert (logits(made.merge(model, None).eval(), inputs) - trained).abs().max() <= 1e-4 * trained.abs().max()


@pytest.mark.parametrize("start", STARTS)
def test_a_start_depends_on_the_data_alone_and_is_the_same_again(start: str) -> None:
    def directions(given: list[dict[str, Any]]) -> torch.Tensor:
        made = make("LoRA", init_lora_weights=start, r=4)
        torch.manual_seed(3)
        model = made.attach(CASES["bert"].seeded(), CASES["bert"].context)
        made.prepare(model, given)
        weights = [layer.lora_A["default"].weight.flatten() for layer in layers(model).values()]
        return torch.cat(weights).detach()

    first = directions(batches("bert"))
    assert torch.equal(first, directions(batches("bert")))
    others = [{**batch, "input_ids": batch["input_ids"].flip(1)[:, :5] % 20 + 3} for batch in batches("bert")]
    for batch in others:
        batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    changed = directions(others)
    assert changed.shape != first.shape or not torch.allclose(changed, first, atol=1e-3)


def test_eva_starts_with_the_principal_directions_of_a_layers_inputs_without_padding() -> None:
    _, model = prepared("eva", lora_options={"eva_config": {"rho": 1.0}})
    layer = layers(model)["base_model.model.bert.encoder.layer.0.attention.self.query"]
    base, seen = CASES["bert"].seeded(), []
    query = base.bert.encoder.layer[0].attention.self.query
    query.register_forward_hook(lambda module, given, output: seen.append(given[0].detach()))
    given = batches("bert")
    for batch in given:
        base(**batch)
    inputs = torch.cat([x[batch["attention_mask"].bool()] for x, batch in zip(seen, given, strict=True)])
    v = torch.linalg.svd(inputs - inputs.mean(0), full_matrices=False).Vh
    cosines = (layer.lora_A["default"].weight.detach() @ v[:4].T).abs().max(1).values
    assert cosines.min() > 0.99


def test_eva_gives_ranks_to_the_layers_whose_inputs_vary_along_few_directions() -> None:
    _, model = prepared("eva", r=4)
    ranks = [layer.r["default"] for layer in layers(model).values()]
    assert len(set(ranks)) > 1
    assert max(ranks) <= 8, "rho is 2"
    _, even = prepared("eva", r=4, lora_options={"eva_config": {"rho": 1.0}})
    assert {layer.r["default"] for layer in layers(even).values()} == {4}


def test_options_of_the_starts_take_effect() -> None:
    def weights(start: str, **options: Any) -> torch.Tensor:
        _, model = prepared(start, lora_options={f"{start}_config": options})
        return torch.cat([layer.lora_A["default"].weight.detach().flatten() for layer in layers(model).values()])

    assert not torch.allclose(weights("corda", corda_method="ipm"), weights("corda", corda_method="kpm"))
    assert not torch.allclose(weights("lora_ga", direction="ArB2r"), weights("lora_ga", direction="A2rBr"))
    assert not torch.allclose(weights("eva", rho=1.0), weights("eva", rho=1.0, whiten=True))


def test_what_a_start_cannot_do_is_said() -> None:
    with pytest.raises(InputError, match=r"lora_ga \(2 r\) needs 40 directions.*Lower r"):
        prepared("lora_ga", r=20)
    case = CASES["bert"]
    made = make("LoRA", init_lora_weights="eva", r=20)
    model = made.attach(case.seeded(), case.context)
    with pytest.raises(InputError, match=r"eva needs more inputs.*Raise start_rows"):
        made.prepare(model, [{name: value[:1] for name, value in batches("bert")[0].items()}])
    for start in ("corda", "lora_ga"):
        with pytest.raises(InputError, match="rewrites the base weights"):
            make("LoRA", init_lora_weights=start).attach(case.seeded(), context(case))
    with pytest.raises(InputError, match="loftq makes up for a base in 4 bits"):
        make("LoRA", init_lora_weights="loftq").attach(case.seeded(), case.context)


def test_loftq_brings_a_base_in_four_bits_nearer_to_the_published_one(tmp_path: Path) -> None:
    from transformers import BertForSequenceClassification

    case = CASES["bert"]
    case.seeded().save_pretrained(tmp_path)
    base = BertForSequenceClassification.from_pretrained(tmp_path).eval()
    inputs = case.inputs()
    published = base.bert(**inputs).last_hidden_state
    four = quantizer(4)
    model = four.prepare(four.convert(base, case.context.head, "cpu"), False)
    made = make("LoRA", init_lora_weights="loftq", r=8, alpha=24)
    attached = made.attach(model, context(case)).eval()
    rounded = attached.base_model.model.bert(**inputs).last_hidden_state
    made.prepare(attached, [])
    started = attached.base_model.model.bert(**inputs).last_hidden_state
    assert (started - published).norm() < 0.8 * (rounded - published).norm()
    trained = logits(attached, inputs)
    merged = made.merge(attached, four).eval()
    assert (logits(merged, inputs) - trained).abs().max() <= 2e-3 * trained.abs().max()


@pytest.mark.parametrize("start", STARTS)
def test_a_whole_run_resumes_to_the_same_end(start: str, tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
    more = {"method": "LoRA", "init_lora_weights": start, "r": 4, "dropout": 0.0, "start_rows": 40}
    keys = config(tiny_encoder, inbox, tmp_path / "run", **more)
    whole = adapt_core.run({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    assert whole.training_check["verdict"] == "learned"
    assert whole.merge["relative_difference"] <= 1e-4
    plain = adapt_core.run({**keys, "init_lora_weights": True, "OUTPUT_DIR": str(tmp_path / "plain")})
    assert whole.metrics["before"]["loss"] == pytest.approx(plain.metrics["before"]["loss"], abs=1e-5)
    assert whole.metrics["after"]["loss"] != pytest.approx(plain.metrics["after"]["loss"], abs=1e-6)
    with pytest.raises(InterruptedRunError):
        adapt_core.run({**keys, "STOP_AFTER": "4 steps"})
    resumed = adapt_core.run(keys, resume=True)
    assert resumed.metrics["after"]["loss"] == pytest.approx(whole.metrics["after"]["loss"], abs=1e-5)


def test_a_task_without_batches_refuses_before_training(tmp_path: Path) -> None:
    from adapt_core.execution.preparation import prepare_method

    class Plan:
        class training:
            do_train = True

        class model:
            start_from = None

        class task:
            name = "object_detection"

        class method:
            name = "LoRA"

    class Components:
        method = make("LoRA", init_lora_weights="eva")
        task = object()

    with pytest.raises(InputError, match=r"object_detection does not give.*Choose a start that needs no data"):
        prepare_method(Plan, Components, None, None, None)  # type: ignore[arg-type]
