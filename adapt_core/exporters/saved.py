"""The SAVE_METHODs as exporters: `model/` in another form, loaded again by the lines that the model card shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.plugin.params import NoParams

PROGRAM = Path(__file__).with_name("reload.py")


class Saved:
    """A model by one of SAVE_METHODS.

    Args:
        save_method: one of SAVE_METHODS.
        params: none.
    """

    def __init__(self, save_method: str, params: NoParams) -> None:
        self._save_method = save_method

    def check(self, plan: Plan) -> None:
        """Check nothing: what a task cannot save is told when it is saved."""

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the model as `model/` of a run with this SAVE_METHOD."""
        source.task.save_model(source.model(), folder, self._save_method)

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return one: the model loaded by the card's lines in torch, in the weights' own precision."""
        from adapt_core.plugin.versions import installed_version

        return [
            RuntimeCheck(
                runtime=f"torch {installed_version('torch')}",
                program=PROGRAM,
                arguments=(source.task.loading_lines(self._save_method),),
                without=(),
            )
        ]

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return the lines that load the model."""
        lines = source.task.loading_lines(self._save_method).rstrip()
        if folder == ".":
            return f"In a folder that has this one as `model`:\n\n```text\n{lines}\n```\n"
        there = lines.replace('"model', f'"{folder}')
        return f"```python\n{there}\n```\n"


full_torch_model = partial(Saved, "full_torch_model")
state_dict = partial(Saved, "state_dict")
safetensors = partial(Saved, "safetensors")
save_pretrained = partial(Saved, "save_pretrained")
