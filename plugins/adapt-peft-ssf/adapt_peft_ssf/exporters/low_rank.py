"""The exporter lora: any adapted model as a LoRA of a rank, with the error that it has."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import InputError, first_of
from adapt_core.report.serving import adapter_config, serving

from adapt_peft_ssf.exporters.asked import asked_by_peft, loading_lines
from adapt_peft_ssf.params import LoraExportParams

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig
    from torch import nn

    from adapt_peft_ssf.exporters.factors import Changes

log = logging.getLogger(__name__)

_WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_TASK_TYPES = {
    "AutoModelForCausalLM": "CAUSAL_LM",
    "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM",
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
}


class LowRankExporter:
    """The difference between adapted model and base as a LoRA.

    Args:
        params: rank, and the error that is allowed.
    """

    def __init__(self, params: LoraExportParams) -> None:
        self._params = params
        self._written: dict[str, Any] = {"peft_type": "LORA", "r": params.lora_rank}

    def check(self, plan: Plan) -> None:
        """Check nothing: what training changes is known when it ends."""

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the adapter, with tokenizer and labels.

        Modules that are no linear layers (norms, embeddings) and changed, and heads that the base does not have, are
        saved whole, as `modules_to_save`.

        Raises:
            InputError: nothing was trained, or the task has no Hugging Face model.
        """
        from safetensors.torch import save_file

        from adapt_peft_ssf.exporters.factors import changes_of, factor, short_names

        trained = source.model()
        base, absent, auto_class = _base(source)
        changes = changes_of(base, trained, absent)
        if not changes.weights and not changes.modules:
            raise InputError("lora: the adapted model is the base model; there is nothing to export. Train first.")
        state: dict[str, torch.Tensor] = {}
        kept = total = 0.0
        for name, change in changes.weights.items():
            pair = factor(change, self._params.lora_rank)
            state[f"{_PREFIX}{name}.lora_A.weight"] = pair.a.contiguous()
            state[f"{_PREFIX}{name}.lora_B.weight"] = pair.b.contiguous()
            kept += pair.kept * pair.norm**2
            total += pair.norm**2
            if changes.biases:
                shift = changes.biases.get(name)
                state[f"{_PREFIX}{name}.lora_B.bias"] = pair.b.new_zeros(len(pair.b)) if shift is None else shift
        whole = trained.state_dict()
        for module in changes.modules:
            for name, value in whole.items():
                if name.rpartition(".")[0] == module:
                    state[f"{_PREFIX}{name}"] = value.clone().contiguous()
        source.save_companions(folder)
        save_file(state, folder / _WEIGHTS, metadata={"format": "pt"})
        targets = short_names(changes.weights, trained)
        config = _config(self._params.lora_rank, targets, changes, _TASK_TYPES.get(auto_class), source)
        config.save_pretrained(str(folder))
        self._written = dict(adapter_config(folder) or {})
        share = 100 * kept / total if total else 100.0
        log.info(
            "a LoRA of rank %d has %.4g %% of the change of %d layers",
            self._params.lora_rank,
            share,
            len(changes.weights),
        )
        if changes.modules:
            log.info("saved whole: %s", first_of(changes.modules, 5))

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return that plain peft loads it, and that its outputs are as close as `lora_tolerance` asks."""
        remedy = f"Raise lora_rank ({self._params.lora_rank}), or allow more by lora_tolerance."
        return asked_by_peft(source, self._params.lora_tolerance, remedy)

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return the lines that load it, and how it is served."""
        text = f"```python\n{loading_lines(source, folder)}\n```\n"
        if source.plan.task.name != "text_generation":
            return text
        task: Any = source.task
        base = str(task.source.name)
        return f"{text}\n{serving(self._written, base, folder)}"


def _base(source: ExportSource) -> tuple[nn.Module, frozenset[str], str]:
    """Return the base model in float, the parameters that it was published without, and its Auto class."""
    import transformers

    task: Any = source.task
    auto_class = getattr(task, "auto_class", None)
    if auto_class is None:
        raise InputError(f"lora: models of {source.plan.task.name} are no Hugging Face models. Export another form.")
    trained: Any = source.model()
    model, loading = getattr(transformers, auto_class).from_pretrained(
        task.source.name,
        config=copy.deepcopy(trained.config),
        dtype="auto",
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        trust_remote_code=source.plan.model.trust_remote_code,
        **({"revision": task.source.revision} if task.source.revision else {}),
    )
    mismatched = {one[0] if isinstance(one, tuple) else one for one in loading["mismatched_keys"]}
    return model.eval(), frozenset({*loading["missing_keys"], *mismatched}), auto_class


def _config(rank: int, targets: list[str], changes: Changes, kind: str | None, source: ExportSource) -> LoraConfig:
    from peft import LoraConfig

    task: Any = source.task
    return LoraConfig(
        r=rank,
        lora_alpha=rank,
        lora_dropout=0.0,
        target_modules=targets,
        modules_to_save=list(changes.modules) or None,
        lora_bias=bool(changes.biases),
        fan_in_fan_out=changes.inputs_first,
        task_type=kind,
        base_model_name_or_path=task.source.name,
        inference_mode=True,
    )
