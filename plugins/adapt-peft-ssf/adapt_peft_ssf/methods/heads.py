"""The modules that train in full next to an adapter and are saved with it (peft's `modules_to_save`)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError


def modules_to_save(model: nn.Module, context: AttachContext, method: str, further: Sequence[str] = ()) -> list[str]:
    """Return full names of the modules to train in full: the head where it trains, what is new, and `further`.

    Args:
        model: the plain model.
        context: where the method attaches.
        method: the method's name, for messages.
        further: full names of modules that the config names.

    Raises:
        InputError: a new parameter is in no module of its own, or peft could not distinguish the module from others.
    """
    wanted = list(context.head) if context.train_head else []
    for parameter in sorted(context.new_parameters):
        owner = parameter.rpartition(".")[0]
        if not owner:
            raise InputError(
                f"method {method}: the new parameter {parameter!r} belongs to the model itself, and only modules "
                "inside it can be saved with an adapter. Use method full or last_layer."
            )
        wanted.append(owner)
    wanted += further
    outermost = [name for name in dict.fromkeys(wanted) if not any(name.startswith(f"{other}.") for other in wanted)]
    _refuse_ambiguous(model, outermost, method)
    return outermost


def _refuse_ambiguous(model: nn.Module, names: Sequence[str], method: str) -> None:
    """Refuse a name that ends like others: peft finds modules by the end of their names, and would save all."""
    prefixes = tuple(f"{name}." for name in names)
    for name, _ in model.named_modules():
        caught = [wanted for wanted in names if name.endswith(wanted)]
        if caught and name not in names and not name.startswith(prefixes):
            raise InputError(
                f"method {method}: the head {caught[0]!r} cannot be told from the module {name!r} in an adapter file, "
                "for peft matches the ends of names. Use method full or last_layer, or set LAST_LAYER_TUNING: false."
            )
