"""What adapt-quillmark registers. It imports nothing heavy."""

from __future__ import annotations

from adapt_core.plugin import FormatSpec, hookimpl

adapt_hook_api = 2


@hookimpl
def adapt_formats() -> list[FormatSpec]:
    """Return the spec of Quillmark's exports."""
    return [
        FormatSpec(
            name="quillmark",
            summary="Quillmark exports",
            implementation="adapt_quillmark.format:Quillmark",
            shapes=("text+label",),
            suffixes=(".jsonl",),
        )
    ]
