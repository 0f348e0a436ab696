"""The spec of a command."""

from __future__ import annotations

import attrs

from adapt_core.plugin.specs import Spec

CORE_COMMANDS = (
    *("run", "check", "init", "predict", "chat", "export", "board", "compare", "plugins", "params", "completion"),
    "doctor",
)
"""The names of core's own commands, which a plugin's cannot take."""


def _free(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value in CORE_COMMANDS:
        raise ValueError(f"{attribute.name}: adapt {value} is a command of core. Choose another name.")
    if not value or value != value.casefold() or not value.replace("-", "").isalnum():
        raise ValueError(f"{attribute.name} must be small letters, digits and hyphens, not {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class CommandSpec(Spec):
    """A command of `adapt`. Its implementation is a `click.Command`, imported when it is called or asked for help; its
    context's `obj` has the names of the plugins that are switched off. `summary` is its line in `adapt --help`.

    `params` declares keys of a config that the command reads; `adapt run` leaves them unread.
    """

    name: str = attrs.field(validator=(attrs.validators.instance_of(str), _free))
