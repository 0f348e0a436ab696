"""An exported adapter loaded by plain peft, in a fresh process without adapt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from adapt_core.capabilities import SupportsPlainAdapter
from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import InputError
from adapt_core.exporters.saved import PROGRAM
from adapt_core.plugin.versions import installed_version


def loading_lines(source: ExportSource, named: str) -> str:
    """Return Python that loads base and LoRA.

    Args:
        source: of the export.
        named: the folder of the adapter, as the lines name it.

    Raises:
        InputError: plain peft does not load adapters of this task.
    """
    if not isinstance(source.task, SupportsPlainAdapter):
        raise InputError(f"EXPORT: plain peft loads no adapters of {source.plan.task.name}. Export the merged model.")
    with TemporaryDirectory() as place:
        # The lines differ with the kind of adapter alone.
        Path(place, "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
        lines = source.task.adapter_loading_lines(Path(place))
    return lines.rstrip().replace('"adapter"', f'"{named}"').replace('"adapter/', f'"{named}/')


def asked_by_peft(source: ExportSource, within: float | None, remedy: str = "") -> Sequence[RuntimeCheck]:
    """Return the check of an adapter.

    Args:
        source: of the export.
        within: how far outputs may be from the trained model's, as a share of the largest; None where the distance is
            told and nothing is promised.
        remedy: what to do where they are further.
    """
    return [
        RuntimeCheck(
            runtime=f"peft {installed_version('peft')}",
            program=PROGRAM,
            arguments=(loading_lines(source, "model"),),
            without=(),
            tolerance=None if within is None else 1e-4,
            relative_tolerance=0.0 if within is None else within,
            remedy=remedy,
        )
    ]
