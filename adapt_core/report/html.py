"""The page templates of this package, filled in."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from adapt_core.runtime.plain_text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

_PICTURE = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=]+")
"""A picture as a task's samples hold it. Text of a data set is shown as text, whatever it begins with."""


def render(template: str, **values: Any) -> str:
    """Render a template of `adapt_core/report/templates`. Values are escaped; a name without a value is an error.

    Control characters and overrides of direction in a value are shown as escapes, as on a terminal.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    """Return the templates, which are compiled once in a process that makes several reports."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("adapt_core.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        keep_trailing_newline=True,
    )
    environment.tests["picture"] = is_picture
    return environment


def is_picture(value: Any) -> bool:
    """Return whether a value of a sample is a picture: a data URI from beginning to end."""
    return isinstance(value, str) and bool(_PICTURE.fullmatch(value))


def _visible(value: Any) -> Any:
    # Markup is a string too: what a macro of a template returned, whose values were finalized there.
    return visible(value) if type(value) is str else value
