"""The exporter vllm: the run's LoRA with one rank and one scale, which is all that vLLM reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import InputError
from adapt_core.plugin.params import NoParams
from adapt_core.report.serving import adapter_config, largest_rank, serving, why_not_served

from adapt_peft_ssf.exporters.asked import asked_by_peft

_WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."
_WITHIN = 1e-4
_CARD = "README.md"


class VllmExporter:
    """A LoRA for vLLM and text-generation-inference, with the commands that serve it.

    Args:
        params: none.
    """

    def __init__(self, params: NoParams) -> None:
        self._params = params

    def check(self, plan: Plan) -> None:
        """Check that the method trains a LoRA, and nothing else.

        Raises:
            InputError: it does not; says what servers take instead.
        """
        if plan.method.name != "LoRA":
            raise InputError(f"vllm: the method {plan.method.name} makes no LoRA. Export lora, which makes one of it.")
        if getattr(plan.task.params, "add_tokens", ()):
            raise InputError(
                "vllm: the adapter cannot be served: with ADD_TOKENS it also has trained embeddings of tokens. Leave "
                "vllm out of EXPORT, and serve the merged model (SAVE_METHOD: save_pretrained)."
            )

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the adapter, with tokenizer and config.

        Raises:
            InputError: vLLM does not take such an adapter.
        """
        config = None if source.adapter is None else adapter_config(source.adapter)
        if source.adapter is None or config is None:
            raise InputError("vllm: the run has no adapter/. Use model/ itself: vllm serve model")
        reason = why_not_served(config)
        if reason is not None:
            raise InputError(
                f"vllm: the adapter cannot be served: {reason}. Serve the merged model (SAVE_METHOD: save_pretrained), "
                "or export lora, which makes a LoRA of what linear layers learned."
            )
        for file in source.adapter.iterdir():
            if file.is_file() and file.name not in (_WEIGHTS, _CONFIG, _CARD):
                shutil.copyfile(file, folder / file.name)
        even = _evened(source.adapter, folder, config)
        (folder / _CONFIG).write_text(json.dumps(even, indent=2) + "\n", encoding="utf-8")

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return that plain peft computes the same with it. A base that the run quantized is loaded as published."""
        return asked_by_peft(source, None if source.plan.quantizer is not None else _WITHIN)

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return the commands that serve it."""
        config = (None if source.adapter is None else adapter_config(source.adapter)) or {"peft_type": "LORA", "r": 8}
        even = {"peft_type": "LORA", "r": largest_rank(config)}
        return serving(even, str(config.get("base_model_name_or_path") or source.plan.model.model_path), folder)


def _evened(adapter: Path, folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Write an adapter's matrices with one rank and scale, and return its config: padded by zeros, B scaled."""
    from peft import LoraConfig, PeftConfig
    from peft.utils.other import get_pattern_key
    from safetensors.torch import load_file, save_file

    loaded = PeftConfig.from_pretrained(str(adapter))
    assert isinstance(loaded, LoraConfig)
    state = load_file(adapter / _WEIGHTS)
    rank = largest_rank(config)
    even = {}
    for name, values in state.items():
        module = name.removeprefix(_PREFIX).partition(".lora_")[0]
        alphas = loaded.alpha_pattern or {}
        alpha = alphas.get(get_pattern_key(alphas.keys(), module), loaded.lora_alpha)
        if ".lora_A." in name:
            own = values.shape[0]
            grown = values.new_zeros(rank, *values.shape[1:])
            grown[:own] = values
        else:
            own = values.shape[1]
            grown = values.new_zeros(values.shape[0], rank, *values.shape[2:])
            grown[:, :own] = values * (alpha / (own**0.5 if loaded.use_rslora else own))
        even[name] = grown
    save_file(even, folder / _WEIGHTS, metadata={"format": "pt"})
    changed = {"r": rank, "lora_alpha": rank, "rank_pattern": {}, "alpha_pattern": {}, "use_rslora": False}
    return {**config, **changed}
