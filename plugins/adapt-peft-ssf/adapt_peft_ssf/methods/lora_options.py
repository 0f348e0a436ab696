"""`lora_options`: the options of peft's LoraConfig that have no key of their own.

Each field of the installed LoraConfig is in one of three tables: a key of adapt sets it, it is taken here, or it is
refused with the reason. A field of a later peft is in none, and is refused until somebody has seen that it takes
effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from peft.tuners.lora.config import BdLoraConfig, CordaConfig, EvaConfig, LoraGAConfig, VeloraConfig
from torch import nn

from adapt_core.errors import InputError

OWN_KEYS: Mapping[str, str] = {
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "use_dora": "method: DoRA",
    **{key: key for key in ("r", "target_modules", "fan_in_fan_out", "bias", "use_rslora", "modules_to_save")},
    **{key: key for key in ("init_lora_weights", "layers_to_transform", "layers_pattern")},
    **{key: key for key in ("rank_pattern", "alpha_pattern")},
}
"""Field -> the key that sets it."""

REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
        "adapt writes it",
    ),
    "inference_mode": "adapt writes it",
    **dict.fromkeys(("megatron_config", "megatron_core"), "adapt has no models of Megatron"),
    "loftq_config": "load_in_4bit has its bits, and init_lora_weights: loftq needs no more",
    "alora_invocation_tokens": "an adapter that is active behind some tokens cannot be merged, checked or served as a "
    "LoRA",
    "use_qalora": "it is for bases in GPTQ, which adapt does not train on",
    "qalora_group_size": "it is for bases in GPTQ, which adapt does not train on",
    "monteclora_config": "its part of the loss is not in peft's models but in training loops, and it does little "
    "without",
    "kasa_config": "it changes the base for good, and its part of the loss is in training loops",
    "layer_replication": "the model would have other layers than its config says, and could not be loaded again",
    "runtime_config": "peft does not keep it",
    "arrow_config": "it routes among several trained adapters, and adapt trains one",
    "ensure_weight_tying": "peft merges adapters of tied layers to another model than was trained; adapt unties the "
    "head itself",
}
"""Field -> why it is not taken."""

CONFIGS: Mapping[str, tuple[type, tuple[str, ...]]] = {
    "eva_config": (EvaConfig, ("rho", "use_label_mask", "label_mask_value", "whiten", "adjust_scaling_factors")),
    "corda_config": (CordaConfig, ("corda_method",)),
    "lora_ga_config": (LoraGAConfig, ("direction", "scale", "stable_gamma")),
    "velora_config": (VeloraConfig, ("num_groups", "scale", "init_type")),
    "use_bdlora": (BdLoraConfig, ("target_modules_bd_a", "target_modules_bd_b", "nblocks", "match_strict")),
}
"""Option that is a mapping -> peft's class of it, and the keys that take effect here."""

_STARTS = {"eva_config": "eva", "corda_config": "corda", "lora_ga_config": "lora_ga"}
TAKEN = (*CONFIGS, "exclude_modules", "trainable_token_indices", "target_parameters", "lora_bias")
"""The options."""


def checked_options(options: Mapping[str, Any] | None, start: object) -> dict[str, Any]:
    """Return the arguments of LoraConfig for `lora_options`, checked as far as no model is needed.

    Args:
        options: as the config has them.
        start: init_lora_weights.

    Raises:
        InputError: an option is unknown, has a key of its own, is refused, or has a wrong value.
    """
    checked: dict[str, Any] = {}
    for name, value in (options or {}).items():
        if name in OWN_KEYS:
            raise InputError(f"lora_options: {name} has a key of its own: {OWN_KEYS[name]}. Give that one.")
        if name in REFUSED:
            raise InputError(f"lora_options: {name} is not taken: {REFUSED[name]}. Leave it out.")
        if name not in TAKEN:
            near = get_close_matches(name, TAKEN, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Options: {', '.join(sorted(TAKEN))}."
            raise InputError(f"lora_options: there is no option {name!r}.{hint}")
        checked[name] = _sub_config(name, value) if name in CONFIGS else _CHECKS[name](name, value)
        if name in _STARTS and start != _STARTS[name]:
            raise InputError(
                f"lora_options: {name} is without effect unless init_lora_weights is {_STARTS[name]}. Set that, or "
                "leave it out."
            )
    for name, wanted in _STARTS.items():
        if start == wanted:
            checked.setdefault(name, CONFIGS[name][0]())
    if checked.get("lora_bias") and start not in (True, False):
        raise InputError(
            f"lora_options: lora_bias goes with init_lora_weights true or false, not {start!r}. Leave one out."
        )
    return checked


def _sub_config(name: str, value: object) -> Any:
    made, keys = CONFIGS[name]
    if not isinstance(value, Mapping):
        raise InputError(f"lora_options: {name} must be a mapping of {', '.join(keys)}; not {value!r}.")
    for key in value:
        if key not in keys:
            raise InputError(f"lora_options: {name} has no {key!r} that takes effect here. Keys: {', '.join(keys)}.")
    try:
        return made(**value)
    except (TypeError, ValueError) as error:
        raise InputError(f"lora_options: {name}: {' '.join(str(error).split())} (Correct it.)") from error


def _names(name: str, value: object) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(item, str) for item in given):
        raise InputError(f"lora_options: {name} must be a list of names, not {value!r}. Correct it.")
    return list(given)


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"lora_options: {name} must be true or false, not {value!r}. Correct it.")
    return value


def _tokens(name: str, value: object) -> Any:
    lists = list(value.values()) if isinstance(value, Mapping) else [value]
    numbers = [number for given in lists for number in (given if isinstance(given, (list, tuple)) else [given])]
    if not numbers or any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in numbers):
        raise InputError(
            f"lora_options: {name} must be a list of token numbers, or a mapping of embedding layers to such lists; "
            f"not {value!r}. Correct it."
        )
    if isinstance(value, Mapping):
        return {str(layer): sorted(set(given)) for layer, given in value.items()}
    return sorted(set(numbers))


_CHECKS: Mapping[str, Any] = {
    "exclude_modules": _names,
    "trainable_token_indices": _tokens,
    "target_parameters": _names,
    "lora_bias": _switch,
}


def without_excluded(targets: list[str], excluded: Sequence[str]) -> list[str]:
    """Return the targets that no entry of exclude_modules names: names, ends of names, or regular expressions.

    Raises:
        InputError: an entry names none of them, or nothing is left.
    """
    left = targets
    for pattern in excluded:
        named = [name for name in targets if name == pattern or name.endswith(f".{pattern}")]
        try:
            named = named or [name for name in targets if re.fullmatch(pattern, name)]
        except re.error as error:
            raise InputError(
                f"lora_options: exclude_modules: {pattern!r} is no regular expression ({error}). Correct it."
            ) from error
        if not named:
            raise InputError(
                f"lora_options: exclude_modules: {pattern!r} names no adapted module, such as {targets[0]}. Correct it."
            )
        left = [name for name in left if name not in named]
    if not left:
        raise InputError("lora_options: exclude_modules leaves no module to adapt. Remove a name.")
    return left


def require_parameters(model: nn.Module, wanted: Sequence[str], dropout: float) -> None:
    """Check that target_parameters name parameters of two or three dimensions, and that peft can adapt them.

    Raises:
        InputError: one names nothing, or a dropout is set, which peft has not for parameters.
    """
    if wanted and dropout:
        raise InputError("lora_options: target_parameters have no dropout in peft. Set dropout: 0.")
    parameters = dict(model.named_parameters())
    for ending in wanted:
        named = [name for name in parameters if name == ending or name.endswith(f".{ending}")]
        if not named:
            near = get_close_matches(ending, {name.rpartition(".")[2] for name in parameters} | set(parameters), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"lora_options: target_parameters: {ending!r} names no parameter.{hint} Correct it.")
        flat = [name for name in named if parameters[name].ndim not in (2, 3)]
        if flat:
            raise InputError(
                f"lora_options: target_parameters: {flat[0]} has {parameters[flat[0]].ndim} dimensions, and peft "
                "adapts parameters of two or three (experts, out, in). Name others."
            )


def require_bias(layers: Sequence[nn.Module]) -> None:
    """Check that adapted layers have the bias that lora_bias is merged into.

    Raises:
        InputError: one has none.
    """
    without = [layer for layer in layers if getattr(layer, "bias", None) is None]
    if without:
        raise InputError(
            f"lora_options: lora_bias could not be merged: {len(without)} of the adapted layers have no bias. Name "
            "others in target_modules, or leave it out."
        )


def with_new_rows(
    tokens: Mapping[str, Sequence[int]] | Sequence[int] | None, new_rows: Mapping[str, tuple[int, ...]]
) -> dict[str, list[int]]:
    """Return trainable_token_indices with the rows of tokens that were added.

    Args:
        tokens: the option, checked; None where it is not given. A list is of the input embeddings.
        new_rows: full name of a module -> its new rows, the input embeddings first.
    """
    chosen = {name: list(rows) for name, rows in new_rows.items()}
    given = tokens if isinstance(tokens, Mapping) else {next(iter(new_rows)): tokens or ()}
    for ending, rows in given.items():
        name = next((name for name in chosen if name == ending or name.endswith(f".{ending}")), ending)
        chosen[name] = sorted({*chosen.get(name, ()), *rows})
    return chosen


def require_tokens(model: nn.Module, tokens: Mapping[str, Sequence[int]] | Sequence[int]) -> None:
    """Check that trainable_token_indices are rows of their embeddings.

    Raises:
        InputError: a layer is not there, or has fewer rows.
    """
    if isinstance(tokens, Mapping):
        chosen = {}
        for ending, numbers in tokens.items():
            named = [m for name, m in model.named_modules() if name == ending or name.endswith(f".{ending}")]
            if not named or not isinstance(named[0], (nn.Embedding, nn.Linear)):
                raise InputError(
                    f"lora_options: trainable_token_indices: {ending!r} names no embedding layer. Correct it."
                )
            chosen[ending] = (named[0], numbers)
    else:
        found = getattr(model, "get_input_embeddings", lambda: None)()
        if found is None:
            raise InputError("lora_options: trainable_token_indices: this model has no token embeddings. Leave it out.")
        chosen = {"the embeddings": (found, tokens)}
    for name, (layer, numbers) in chosen.items():
        rows = int(layer.weight.shape[0])
        if max(numbers) >= rows:
            raise InputError(
                f"lora_options: trainable_token_indices: {name} has tokens 0 to {rows - 1}, not {max(numbers)}. "
                "Correct the number."
            )
