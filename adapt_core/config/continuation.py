"""START_FROM: a run that goes on from the model of a finished one takes task, method and model from its config."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapt_core.config.core_params.model import ModelParams
from adapt_core.config.reader import plain, read_file
from adapt_core.config.sections import Given
from adapt_core.config.selection import chosen_method_name
from adapt_core.config.values import is_not_given
from adapt_core.errors import ConfigError, Problem
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registered, Registry

KEY = "start_from"
_CONFIG, _RESULT, _ADAPTER, _MODEL = "config.yaml", "result.json", "adapter", "model"
_PICKLED = "model.pt"
_OF_THE_MODEL = ("model_path", "local_model_path", "model_checkpoint")
_OF_NEW_DATA = ("train_ann_file", "val_ann_file", "test_ann_file")
_ANEW = ("start_from", "trust_remote_code", "new_weights", "loss", "loss_options")
"""What a run says itself: code that the earlier one names, among others, which may be somebody else's."""


def adapter_of(start_from: str | None) -> Path | None:
    """Return the adapter that a run goes on from; None where it goes on from a whole model, or from no run."""
    folder = None if start_from is None else Path(start_from).expanduser().absolute() / _ADAPTER
    return folder if folder is not None and folder.is_dir() else None


def going_on(given: Mapping[str, Given], registry: Registry) -> tuple[dict[str, Given], list[Problem]]:
    """Return what the config of the run that START_FROM names adds to a config, and what contradicts it.

    Of a run with an adapter: task, method, quantizer, base model, and their keys. Of one without: the task, and its
    trained model as MODEL_PATH (or over MODEL_PATH, as MODEL_CHECKPOINT, where other libraries made it); the method is
    the new config's, or the same again.

    Args:
        given: folded key -> what the new config gives.
        registry: the plugins.
    """
    entry = given.get(KEY)
    if entry is None:
        return {}, []
    folder = Path(str(entry.value)).expanduser().absolute()

    def problem(message: str, at: Given = entry) -> Problem:
        return Problem(message, key=at.written, where=at.where)

    fault = _fault(folder)
    if fault is not None:
        return {}, [problem(fault)]
    try:
        old = {
            e.key.casefold(): Given(e.key.casefold(), e.key, e.value, e.where)
            for e in read_file(folder / _CONFIG)
            if not is_not_given(e.value)
        }
    except ConfigError as error:
        return {}, [problem(f"its config cannot be read: {error.problems[0]}. Give another run.")]
    has_adapter = (folder / _ADAPTER).is_dir()
    chosen = given.get("method") is not None or any(given.get(key) for key in ("full_fine_tuning", "last_layer_tuning"))
    new_method = chosen_method_name(given) if chosen else None
    old_method = str(old["method"].value).casefold() if "method" in old else "full"
    of_method = {"method", *_keys_of(registry.methods.by_name.get(old_method), registry), "last_layer_tuning"}
    taken = {"task", *parameters_of(ModelParams), *_keys_of(_task(old, registry), registry)}
    for quantizer in registry.quantizers.by_name.values():
        taken.update(_keys_of(quantizer, registry))
    if has_adapter or new_method in (None, old_method):
        taken |= of_method
    added = {key: old[key] for key in old if key in taken and key not in (*_OF_NEW_DATA, *_ANEW)}
    if not has_adapter:
        added = _with_trained_model(folder, added)
    problems = [] if has_adapter else _pickled(folder, problem)
    if has_adapter and new_method not in (None, old_method):
        written = given.get("method", entry)
        problems.append(
            problem(
                f"the run of START_FROM trained an adapter by {old['method'].value}, which goes on as it is. Remove "
                "it, or merge the adapter first: adapt export RUN_DIR --save-method save_pretrained -o DIR, and "
                "MODEL_PATH: DIR.",
                written,
            )
        )
    fixed = (
        "task",
        *_OF_THE_MODEL,
        *(("add_tokens",) if has_adapter else ()),
        *(sorted(of_method - {"method", "last_layer_tuning"}) if has_adapter else ()),
    )
    for key in fixed:
        ours = given.get(key)
        theirs = added.get(key)
        if ours is not None and not _same(ours.value, None if theirs is None else theirs.value):
            shown = "not given" if theirs is None else repr(theirs.value)
            problems.append(problem(f"is {shown} in the run of START_FROM, which goes on with it. Remove it.", ours))
    if has_adapter:
        added = {key: value for key, value in added.items() if key != "last_layer_tuning" or key not in given}
    return added, problems


def _fault(folder: Path) -> str | None:
    if not (folder / _CONFIG).is_file():
        return f"{folder} is not a run folder: it has no {_CONFIG}. Give the OUTPUT_DIR of a finished run."
    try:
        status = json.loads((folder / _RESULT).read_text(encoding="utf-8")).get("status")
    except (OSError, ValueError, AttributeError):
        status = None
    if status != "finished":
        return f"the run in {folder} is not finished. Go on with it first: adapt run CONFIG --resume"
    if not (folder / _ADAPTER).is_dir() and not (folder / _MODEL).is_dir():
        return f"{folder} has neither {_ADAPTER}/ nor {_MODEL}/. Give a run that keeps its model: one of its folds."
    return None


def _task(old: Mapping[str, Given], registry: Registry) -> Any:
    name = str(old["task"].value).casefold() if "task" in old else ""
    return registry.tasks.by_name.get(name)


def _keys_of(item: Registered[Any] | None, registry: Registry) -> set[str]:
    return set() if item is None else set(registry.parameters(item))


def _with_trained_model(folder: Path, added: Mapping[str, Given]) -> dict[str, Given]:
    """Return the keys with those by which the trained model of a run is loaded."""
    path = folder / _MODEL
    where = next(iter(added.values())).where
    try:
        of_transformers = "model_type" in json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        of_transformers = False
    key = "model_path" if of_transformers else "model_checkpoint"
    others = {name: value for name, value in added.items() if not of_transformers or name not in _OF_THE_MODEL}
    return {**others, key: Given(key, key.upper(), str(path), where)}


def _pickled(folder: Path, problem: Callable[[str], Problem]) -> list[Problem]:
    if not (folder / _MODEL / _PICKLED).is_file():
        return []
    return [
        problem(
            f"the model in {folder} is a pickle (SAVE_METHOD: full_torch_model), which is not loaded to go on. Run "
            "adapt export on it with --save-method safetensors, and give that as MODEL_CHECKPOINT."
        )
    ]


def _same(ours: object, theirs: object) -> bool:
    def listed(value: object) -> object:
        value = plain(value)
        return [str(item) for item in value] if isinstance(value, (list, tuple)) else str(value)

    return bool(listed(ours) == listed(theirs))
