"""The lines of a model card, which load the model without adapt."""

from __future__ import annotations

from pathlib import Path


def python_of(card: Path) -> str:
    """Return the first block of Python in a model card (`README.md`)."""
    return card.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
