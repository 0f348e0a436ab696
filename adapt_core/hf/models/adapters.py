"""What plain peft needs beside an adapter: a config with the labels, the tokenizer, and lines that load all of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.hf.models.save_formats import GENERATING

if TYPE_CHECKING:
    from torch import nn
    from transformers.utils import PushToHubMixin

CONFIG = "adapter_config.json"


def save_beside_adapter(model: nn.Module, companion: PushToHubMixin, folder: Path) -> None:
    """Save what an adapter's file does not hold: the model's config with its labels, and the companion.

    Args:
        model: with the adapter attached.
        companion: tokenizer or processor.
        folder: that of the adapter.
    """
    module: Any = model
    config = copy.deepcopy(module.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the lines load the base as it is published
    config.save_pretrained(folder)
    if getattr(module, "generation_config", None) is not None:
        module.generation_config.save_pretrained(folder)
    companion.save_pretrained(folder)


def adapter_loading_lines(
    auto_class: str, companion_class: str, companion: str, adapter: Path, rows: int | None = None
) -> list[str]:
    """Return Python source that loads base model and adapter with plain peft, in the folder that has `adapter/`.

    Args:
        auto_class: "AutoModelForSequenceClassification".
        companion_class: "AutoTokenizer".
        companion: the variable's name ("tokenizer").
        adapter: the adapter's folder, whose peft type may come from another package than peft.
        rows: of the base's embeddings, where the adapter is for more tokens; None where it is not.
    """
    generates = auto_class in GENERATING
    names = sorted(["AutoConfig", auto_class, companion_class, *(["GenerationConfig"] if generates else [])])
    return [
        *registering_import(adapter),
        "from peft import PeftConfig, PeftModel",
        f"from transformers import {', '.join(names)}",
        "",
        "# The config in adapter/ has the labels. The base is loaded in full precision, whatever it was trained on.",
        'config = AutoConfig.from_pretrained("adapter")',
        *(
            [f"tokens, config.vocab_size = config.vocab_size, {rows}  # the base lacks the tokens of ADD_TOKENS"]
            if rows
            else []
        ),
        f"model = {auto_class}.from_pretrained(",
        '    PeftConfig.from_pretrained("adapter").base_model_name_or_path,',
        "    config=config," if rows else '    config=AutoConfig.from_pretrained("adapter"),',
        "    ignore_mismatched_sizes=True,",
        ")",
        *(["model.resize_token_embeddings(tokens)"] if rows else []),
        *(['model.generation_config = GenerationConfig.from_pretrained("adapter")'] if generates else []),
        'model = PeftModel.from_pretrained(model, "adapter").eval()',
        f'{companion} = {companion_class}.from_pretrained("adapter")',
    ]


def _fewer_rows(rows: int) -> list[str]:
    return [
        'config = AutoConfig.from_pretrained("adapter")',
        f"tokens, config.vocab_size = config.vocab_size, {rows}  # the base lacks the tokens of ADD_TOKENS",
    ]


def registering_import(adapter: Path) -> list[str]:
    """Return the line of Python that registers an adapter's type with peft where another package provides it."""
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    kind = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))["peft_type"]
    module = PEFT_TYPE_TO_CONFIG_MAPPING[kind].__module__
    return [] if module.startswith("peft.") else [f"import {module}  # registers {kind} with peft"]
