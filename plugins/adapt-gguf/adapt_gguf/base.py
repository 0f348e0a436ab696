"""The base model of a run, as far as it can be looked at before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf import locate

from adapt_gguf.families import FAMILIES, family_of
from adapt_gguf.positions import check_positions


def gguf_base(plan: Plan) -> Path | None:
    """Return the GGUF file that a run's base came as; None where it came otherwise."""
    path = locate(plan).path
    return path if path is not None and path.is_file() and path.suffix.casefold() == ".gguf" else None


def check_base(plan: Plan) -> None:
    """Check, without torch, that a run's base has a GGUF architecture that can be written. A hub id is not looked at.

    Raises:
        InputError: it has none.
    """
    file = gguf_base(plan)
    if file is not None:
        _check_file(file)
        return
    folder = locate(plan).path
    if folder is None or not (folder / "config.json").is_file():
        return
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    family = family_of(str(config.get("model_type")))
    ropes: Any = SimpleNamespace(rope_parameters=config.get("rope_parameters") or config.get("rope_scaling"))
    check_positions(ropes, family.architecture)


def _check_file(file: Path) -> None:
    from adapt_gguf.files import open_gguf

    named = open_gguf(file).get_field("general.architecture")
    architecture = "none" if named is None else str(named.contents())
    known = sorted({family.architecture for family in FAMILIES.values()})
    if architecture not in known:
        raise InputError(
            f"GGUF: {file} has the architecture {architecture}, which cannot be written; there are:"
            f" {', '.join(known)}. Leave gguf out of EXPORT."
        )
