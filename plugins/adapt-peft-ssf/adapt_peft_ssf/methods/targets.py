"""target_modules: from what a config says to the modules of one model."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from torch import nn
from transformers.pytorch_utils import Conv1D

from adapt_core.errors import InputError, first_of
from adapt_core.nn.structure import inside

from adapt_peft_ssf.layers import bypassed_by, reparametrized

ALL_LINEAR = "all-linear"
_NAMED = 6
_PLAIN_NAME = re.compile(r"[\w.\-]+(\s*,\s*[\w.\-]+)*")

log = logging.getLogger(__name__)

Takes = Callable[[nn.Module], str | None]
"""Why a method cannot take a module, or None where it can."""


def select_targets(
    model: nn.Module,
    wanted: str | Sequence[str] | None,
    head: Sequence[str],
    by_default: Callable[[nn.Module], bool],
    takes: Takes,
    method: str,
) -> list[str]:
    """Return the full names of the modules that get an adapter, in the model's order.

    Args:
        model: the plain model.
        wanted: target_modules; None or empty for every module that `by_default` names outside the head.
        head: full names of modules that are never chosen by default. What shares its weight with them is untied.
        by_default: whether a module is of a kind that is chosen by default.
        takes: judges one module.
        method: the method's name, for messages.

    Raises:
        InputError: a name matches nothing, or only what cannot be adapted, or nothing is left.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    others = sharing(model)

    def refusal(name: str) -> str | None:
        shared = [] if inside(name, head) else [other for other in others.get(name, ()) if not inside(other, head)]
        if shared:
            return f"it shares its weight with {shared[0]}, which would change with it in the merged model only"
        parent = modules.get(name.rpartition(".")[0])
        return bypassed_by(parent) or reparametrized(modules[name]) or takes(modules[name])

    if not wanted or _is_all_linear(wanted):
        is_kind = _is_linear if wanted else by_default
        found = [name for name, module in modules.items() if is_kind(module) and not inside(name, head)]
        left_out = {name: reason for name in found if (reason := refusal(name)) is not None}
        if left_out:
            reason = next(iter(left_out.values()))
            log.info("%s leaves %d layers out (%s): %s", method, len(left_out), reason, first_of(left_out, _NAMED))
        chosen = [name for name in found if name not in left_out]
        if not chosen:
            raise InputError(
                f"method {method}: {type(model).__name__} has no layer outside its head to adapt."
                " Choose another method."
            )
        return chosen
    named: set[str] = set()
    for pattern in _patterns(wanted):
        named.update(_matches(pattern, list(modules), refusal, method))
    return [name for name in modules if name in named]


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, (nn.Linear, Conv1D))


def _patterns(wanted: str | Sequence[str]) -> list[str]:
    if not isinstance(wanted, str):
        return list(wanted)
    if _PLAIN_NAME.fullmatch(wanted):
        return [part.strip() for part in wanted.split(",")]
    return [wanted]


def _is_all_linear(wanted: str | Sequence[str]) -> bool:
    only = wanted if isinstance(wanted, str) else wanted[0] if len(wanted) == 1 else ""
    return only.strip().casefold() == ALL_LINEAR


def _matches(pattern: str, modules: Sequence[str], refusal: Callable[[str], str | None], method: str) -> list[str]:
    found = [name for name in modules if name == pattern or name.endswith(f".{pattern}")]
    if not found:
        try:
            found = [name for name in modules if re.fullmatch(pattern, name)]
        except re.error as error:
            raise InputError(
                f"target_modules: {pattern!r} is neither a module name nor a regular expression ({error}). Correct it."
            ) from error
    if not found:
        raise InputError(f"target_modules: {pattern!r} matches no module.{_nearest(pattern, modules, refusal)}")
    reasons = {name: refusal(name) for name in found}
    usable = [name for name, reason in reasons.items() if reason is None]
    if not usable:
        name, reason = next(iter(reasons.items()))
        raise InputError(
            f"target_modules: {pattern!r} matches {name}, but method {method} cannot adapt it: {reason}."
            " Name other modules."
        )
    return usable


def _nearest(pattern: str, modules: Sequence[str], refusal: Callable[[str], str | None]) -> str:
    usable = [name for name in modules if refusal(name) is None]
    last = pattern.rpartition(".")[2]
    near = get_close_matches(pattern, usable, n=3, cutoff=0.6)
    suffixes = list(dict.fromkeys(name.rpartition(".")[2] for name in usable))
    near += [name for name in get_close_matches(last, suffixes, n=3, cutoff=0.5) if name not in near]
    if near:
        return f" Did you mean {' or '.join(near[:3])}?"
    return f" Modules it can be: {', '.join(suffixes[:_NAMED])}."


def sharing(model: nn.Module) -> dict[str, list[str]]:
    """Return the name of each module that shares a parameter with others -> their names."""
    owners: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owners.setdefault(id(parameter), []).append(name.rpartition(".")[0])
    return {
        name: [other for other in names if other != name]
        for names in owners.values()
        if len(set(names)) > 1
        for name in names
    }


def as_peft_targets(names: Sequence[str], model: nn.Module) -> list[str] | str:
    """Return the `target_modules` of a peft config that match exactly these modules.

    peft takes a list's entries as suffixes too, so that "fc" would also catch "block.fc"; where that happens, a
    regular expression is given instead.
    """
    wanted = set(names)
    suffixes = tuple(f".{name}" for name in names)
    if any(name.endswith(suffixes) and name not in wanted for name, _ in model.named_modules()):
        return "|".join(re.escape(name) for name in names)
    return list(names)
