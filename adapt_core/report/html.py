"""The page templates of this package, filled in."""

from __future__ import annotations

from typing import Any


def render(template: str, **values: Any) -> str:
    """Render a template of `adapt_core/report/templates`. Values are escaped; a name without a value is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("adapt_core.report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)
