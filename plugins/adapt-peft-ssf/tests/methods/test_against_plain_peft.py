"""LoRA and DoRA are peft's own: a plain script with the same seed gives the same losses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import adapt_core

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")


@pytest.mark.parametrize(("method", "r", "alpha"), [("LoRA", 8, 16), ("DoRA", 16, 8)])
def test_the_losses_of_a_run_are_those_of_a_plain_script(
    method: str, r: int, alpha: int, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "method": method,
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 16,
        "MAX_STEPS": 6,
        "BATCH_SIZE": 8,
        "LR": 1e-2,
        "NUM_WORKERS": 0,
        "LOGGING_STEPS": 1,
        "SEED": 7,
        "GROUP_BY_LENGTH": False,
    }
    adapt_core.run(keys)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["phase"] == "train"]

    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from adapt_core.execution.components import make_task

    data = make_task(adapt_core.check({**keys, "OUTPUT_DIR": str(tmp_path / "x")}))
    train = data.load_data().train
    set_seed(7)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_encoder, num_labels=6)
    targets = [name for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and name != "classifier"]
    model = get_peft_model(
        model,
        LoraConfig(
            r=r,
            lora_alpha=alpha,
            lora_dropout=0.1,
            target_modules=targets,
            use_dora=method == "DoRA",
            modules_to_save=["classifier"],
        ),
    )
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "plain"),
        max_steps=6,
        per_device_train_batch_size=8,
        learning_rate=1e-2,
        logging_steps=1,
        seed=7,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    trainer = Trainer(
        model=model, args=arguments, train_dataset=train, data_collator=DataCollatorWithPadding(tokenizer)
    )
    trainer.train()
    plain = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

    assert losses == pytest.approx(plain, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("switch", [None, "load_in_4bit", "load_in_8bit"])
@pytest.mark.parametrize("method", ["LoRA", "DoRA", "SSF"])
def test_a_real_encoder_learns_and_merges(
    method: str, switch: str | None, minilm: str, inbox: Path, tmp_path: Path
) -> None:
    keys = {
        "TASK": "text_classification",
        "MODEL_PATH": minilm,
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "method": method,
        "MAX_STEPS": 24,
        "LR": 1e-2 if method == "SSF" else 1e-3,
        "NUM_WORKERS": 0,
        "MAX_EVAL_SAMPLES": 48,
        "max_seq_length": 48,
        "MERGE_ADAPTER": True,
        "INTERVAL": "no",
        **({switch: True} if switch else {}),
    }
    result = adapt_core.run(keys)
    print(method, switch, result.trainable_parameters, result.artifact_bytes, result.merge, result.metrics["after"])
    assert result.training_check["verdict"] == "learned"
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"]
    if switch is None:
        assert result.merge["relative_difference"] <= 1e-5
    else:
        assert result.merge["relative_difference"] <= result.merge["tolerance"]
