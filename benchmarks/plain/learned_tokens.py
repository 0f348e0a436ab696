"""The rows that adapt trains on, trained on by transformers (with peft), or by trl's SFTTrainer.

The rows come from adapt's own data stage, so that both sides train on the same batches: what is compared is training.
"""

from __future__ import annotations

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, Trainer, TrainingArguments, set_seed

from benchmarks.plain.phases import SEED, peak_memory_bytes


def rows_of(config: dict[str, Any]) -> tuple[Dataset, Any, Any]:
    """Return the packs of a config's training split, the collator of its batches and the tokenizer."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.plugin.registry import Registry

    from adapt_nlp.text_generation.collate import CollateDocuments
    from adapt_nlp.text_generation.packs import pack_documents
    from adapt_nlp.text_generation.task import TextGeneration

    task: Any = TextGeneration(resolve(RunConfig.read(config), Registry.discover()))
    packs = pack_documents(task.load_data().train, config["max_seq_length"])
    rows = Dataset.from_list([{name: list(row) for name, row in packs[n].items()} for n in range(len(packs))])
    return rows, CollateDocuments(task.tokenizer), task.tokenizer


def model_of(config: dict[str, Any]) -> Any:
    """Return the model of a config, with LoRA and a base of 4 bits (NF4, on a GPU) where it says so."""
    options: dict[str, Any] = {"dtype": getattr(torch, config.get("DTYPE", "float32"))}
    four_bits = config.get("load_in_4bit", False)
    if four_bits:
        compute = getattr(torch, config["bnb_4bit_compute_dtype"])
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute
        )
        options["device_map"] = {"": 0}
    model = AutoModelForCausalLM.from_pretrained(config["MODEL_PATH"], **options)
    if config["method"] != "LoRA":
        return model
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if four_bits:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config["r"],
        lora_alpha=config["alpha"],
        lora_dropout=config["dropout"],
        target_modules=config["target_modules"],
    )
    return get_peft_model(model, lora)


def train(config: dict[str, Any], folder: Path, trainer: str) -> dict[str, Any]:
    """Train as a config of adapt says; return losses, rows a second, peak memory and versions.

    Args:
        config: of adapt.
        folder: for the Trainer.
        trainer: "transformers" or "trl".
    """
    rows, collate, tokenizer = rows_of(config)
    set_seed(SEED)
    model = model_of(config)
    options: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": config["BATCH_SIZE"],
        "max_steps": config["MAX_STEPS"],
        "learning_rate": config["LR"],
        "logging_steps": 1,
        "save_strategy": "no",
        "seed": SEED,
        "remove_unused_columns": False,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": config.get("BF16", False),
        "gradient_checkpointing": config["GRADIENT_CHECKPOINTING"],
        "disable_tqdm": True,
        "report_to": [],
    }
    given = {"model": model, "train_dataset": rows, "data_collator": collate, "processing_class": tokenizer}
    packages = ["torch", "transformers", "peft"]
    if trainer == "trl":
        from trl import SFTConfig, SFTTrainer

        packages.append("trl")
        # Its default loss, "nll", is computed in chunks; its other defaults would change what is compared.
        arguments = SFTConfig(**options, loss_type="nll", max_length=None)
        made: Trainer = SFTTrainer(args=arguments, **given)
    else:
        made = Trainer(args=TrainingArguments(**options), **given)
    set_seed(SEED)
    rate = made.train().metrics["train_samples_per_second"]
    losses = [entry["loss"] for entry in made.state.log_history if "loss" in entry]
    return {
        "losses": losses,
        "samples_per_second": rate,
        "peak_memory_bytes": peak_memory_bytes(),
        "versions": {name: version(name) for name in packages},
    }


def main() -> None:
    """Train and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("trainer", choices=("transformers", "trl"))
    given = parser.parse_args()
    config = json.loads(given.config.read_text(encoding="utf-8"))
    print()
    print(json.dumps(train(config, given.folder, given.trainer)))


if __name__ == "__main__":
    main()
