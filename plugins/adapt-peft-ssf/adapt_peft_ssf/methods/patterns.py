"""LoRA's parameters that choose among modules by name: layers, ranks, and modules that train in full."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from torch import nn

from adapt_core.errors import InputError


def in_layers(targets: list[str], numbers: Sequence[int] | None, lists: Sequence[str] | None) -> list[str]:
    """Return the targets inside the numbered layers, as peft's `layers_to_transform` chooses them.

    Args:
        targets: full names.
        numbers: layers_to_transform; None for all layers.
        lists: layers_pattern: names of the module list; None for any.

    Raises:
        InputError: no target is inside these layers, or `lists` is given alone.
    """
    if numbers is None:
        if lists:
            raise InputError("layers_pattern needs layers_to_transform, the numbers of the layers to adapt.")
        return targets
    before = "|".join(map(re.escape, lists)) if lists else r"[^.]*"
    layer = re.compile(rf"(?:.*\.)?(?:{before})\.(\d+)\.")
    places = {name: int(found.group(1)) for name in targets if (found := layer.match(name))}
    absent = sorted(set(numbers) - set(places.values()))
    if absent:
        known = (
            f"numbers with adapted modules: {', '.join(map(str, sorted(set(places.values()))))}"
            if places
            else ("no adapted module is in a numbered layer")
        )
        raise InputError(f"layers_to_transform: there is no layer {absent[0]} to adapt ({known}). Name other layers.")
    return [name for name, number in places.items() if number in numbers]


def numbers_by_pattern(key: str, patterns: Mapping[str, object] | None, targets: Sequence[str]) -> dict[str, int]:
    """Return rank_pattern or alpha_pattern, checked.

    Args:
        key: the parameter's name.
        patterns: module name or regular expression -> number.
        targets: full names of the adapted modules.

    Raises:
        InputError: a number is not a positive whole number, or a pattern matches no target.
    """
    checked: dict[str, int] = {}
    for pattern, value in (patterns or {}).items():
        number = int(value) if isinstance(value, (int, str)) and str(value).strip().isdigit() else 0
        if isinstance(value, bool) or number < 1:
            raise InputError(f"{key}: {pattern} must be a whole number of at least 1, not {value!r}.")
        try:
            matched = any(re.match(rf"(.*\.)?({pattern})$", name) for name in targets)
        except re.error as error:
            raise InputError(f"{key}: {pattern!r} is not a regular expression ({error}). Correct it.") from error
        if not matched:
            raise InputError(
                f"{key}: {pattern!r} matches no adapted module, such as {targets[0]}. Correct the pattern."
            )
        checked[pattern] = number
    return checked


def named_modules(model: nn.Module, wanted: Sequence[str] | None, head: Sequence[str]) -> list[str]:
    """Return full names of the modules that `modules_to_save` names.

    Args:
        model: the plain model.
        wanted: names or ends of names.
        head: full names of the head's modules, which may share their weight: they are untied.

    Raises:
        InputError: a name matches no module, or a module that shares its weight with another one.
    """
    names = [name for name, _ in model.named_modules() if name]
    found: list[str] = []
    for ending in wanted or ():
        matched = [name for name in names if name == ending or name.endswith(f".{ending}")]
        if not matched:
            near = get_close_matches(ending, {*names, *(name.rpartition(".")[2] for name in names)}, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"modules_to_save: {ending!r} matches no module.{hint} Correct the name.")
        found += matched
    for name in found:
        _refuse_shared(model, name, head)
    return found


def _refuse_shared(model: nn.Module, name: str, head: Sequence[str]) -> None:
    if name in head:
        return
    own = {id(parameter) for parameter in model.get_submodule(name).parameters()}
    for other, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) in own and not other.startswith(f"{name}."):
            raise InputError(
                f"modules_to_save: {name} shares its weight with {other.rpartition('.')[0]}, and a copy that trains "
                "alone would not be loaded again. Leave it out, or use method full."
            )
