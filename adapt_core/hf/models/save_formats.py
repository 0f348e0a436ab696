"""Hugging Face models on disk by SAVE_METHOD, and the Python source that loads them without adapt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.hf.models.logging import quiet_libraries
from adapt_core.hf.models.pretrained import guarded
from adapt_core.nn.weights import FILES, read_state_dict, save_weights, saved_form

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.models.auto.auto_factory import _BaseAutoModelClass
    from transformers.utils import PushToHubMixin

_ONE_FILE = 2**60
INDEX_FILE = "pytorch_model.bin.index.json"
"""Lists the files of a model's weights; transformers.utils.WEIGHTS_INDEX_NAME."""
GENERATION_FILE = "generation_config.json"
GENERATING = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM")
"""Auto classes of models that generate: their generation config is loaded with the weights."""


def save_hf_model(model: PreTrainedModel, companion: PushToHubMixin, folder: Path, save_method: str) -> None:
    """Write weights, model config and the companion (tokenizer or processor).

    Args:
        model: a plain PreTrainedModel.
        companion: has `save_pretrained(folder)`.
        folder: an existing, empty folder.
        save_method: one of SAVE_METHODS.
    """
    if save_method == "save_pretrained":
        model.save_pretrained(folder)
    elif save_method == "safetensors":
        # In one file, under the names by which transformers distinguishes tied weights from untied ones.
        model.save_pretrained(folder, max_shard_size=_ONE_FILE)
    else:
        save_weights(model, folder, save_method)
        if save_method == "state_dict":
            _write_index(model, folder)
        if getattr(model, "_auto_class", None) is not None:
            from transformers.dynamic_module_utils import custom_object_save

            custom_object_save(model, str(folder), config=model.config)  # the model's own code, as save_pretrained does
        model.config.save_pretrained(folder)
        if getattr(model, "generation_config", None) is not None:
            model.generation_config.save_pretrained(folder)
    companion.save_pretrained(folder)


def _write_index(model: PreTrainedModel, folder: Path) -> None:
    """Name the state dict's file as the place of every weight, so that `from_pretrained` and `pipeline` find it."""
    state = model.state_dict()
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict.fromkeys(state, FILES["state_dict"])}
    (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def load_hf_model(auto_class: type[_BaseAutoModelClass], folder: Path, *, trust: bool) -> PreTrainedModel:
    """Load a model that `save_hf_model` wrote, except by `full_torch_model`, in evaluation mode.

    Args:
        auto_class: a transformers Auto class.
        folder: `model/`.
        trust: TRUST_REMOTE_CODE; without it, code that comes with the model does not run.

    Raises:
        InputError: the model has its own code and is not trusted, or it cannot be loaded.
    """
    return guarded(str(folder), lambda: _load(auto_class, folder, trust=trust))


def _load(auto_class: type[_BaseAutoModelClass], folder: Path, *, trust: bool) -> PreTrainedModel:
    from transformers import AutoConfig, GenerationConfig

    quiet_libraries()
    form = saved_form(folder)
    if form != "state_dict":
        # Without the argument transformers asks on the terminal, and a "y" in standard input would answer.
        model = auto_class.from_pretrained(folder, local_files_only=True, dtype="auto", trust_remote_code=trust)
        return model.eval()
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust)
    model = auto_class.from_config(config, trust_remote_code=trust)
    # Assigned, not copied: a head that was untied from the embeddings is tied in the new model, and so becomes untied.
    model.load_state_dict(read_state_dict(folder / FILES[form]), assign=True)
    if (folder / GENERATION_FILE).is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    return model.eval()


def loading_lines(auto_class: str, companion_class: str, companion: str, save_method: str) -> str:
    """Return Python source that loads `model/` without adapt.

    Args:
        auto_class: "AutoModelForSequenceClassification".
        companion_class: "AutoTokenizer".
        companion: the variable's name ("tokenizer").
        save_method: one of SAVE_METHODS.
    """
    load_companion = f'{companion} = {companion_class}.from_pretrained("model")'
    if save_method == "full_torch_model":
        return "\n".join(
            [
                "import torch",
                f"from transformers import {companion_class}",
                "",
                "# A pickle can run code when it is loaded: load it only if you trust its source.",
                'model = torch.load("model/model.pt", weights_only=False).eval()',
                load_companion,
            ]
        )
    return "\n".join(
        [
            f"from transformers import {auto_class}, {companion_class}",
            "",
            f'model = {auto_class}.from_pretrained("model").eval()',
            load_companion,
        ]
    )
