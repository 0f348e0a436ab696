"""A finished run, opened again: its task and its adapted model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.contracts import Task
from adapt_core.errors import InputError
from adapt_core.execution.components import Components, make_task
from adapt_core.nn.weights import FILES, load_pickled_model, saved_form
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.paths import RunFolder


@attrs.frozen
class FinishedRun:
    """A run folder whose run is over. Make it with `FinishedRun.open`."""

    folder: RunFolder
    plan: Plan
    registry: Registry
    task: Task

    @classmethod
    def open(cls, run_dir: str | Path, disable_plugins: Iterable[str] = (), *, trust: bool = False) -> FinishedRun:
        """Opens a run folder.

        Args:
            run_dir: the folder.
            disable_plugins: plugins to leave out.
            trust: as TRUST_REMOTE_CODE. What the folder's own config says of it does not count: who uses a run
                need not be who made it.

        Raises:
            InputError: it is no run folder, or its run is not finished.
        """
        folder = RunFolder(Path(run_dir).expanduser().absolute())
        if not folder.started():
            raise InputError(f"{folder.path} is no run folder: it has no {folder.config.name}.")
        if folder.finished() is None:
            raise InputError(f"the run in {folder.path} is not finished. Go on with it: adapt run CONFIG --resume")
        registry = Registry.discover(disable_plugins)
        plan = resolve(RunConfig.read(folder.config, [f"TRUST_REMOTE_CODE={str(trust).lower()}"]), registry)
        return cls(folder, plan, registry, make_task(plan))

    def model(self) -> Any:
        """The adapted model as a plain module, on the CPU, in evaluation mode.

        Raises:
            InputError: the model is a pickle, which can run code, and the folder was opened without trust.
        """
        if not self.folder.model.is_dir():
            return self._merged()
        if saved_form(self.folder.model) == "full_torch_model":
            path = self.folder.model / FILES["full_torch_model"]
            return load_pickled_model(path, trusted=self.plan.model.trust_remote_code).eval()
        return self.task.load_model_folder(self.folder.model)

    def _merged(self) -> Any:
        from adapt_core.distributed.devices import first_device
        from adapt_core.distributed.world import World

        components = Components.of(self.plan, task=self.task)
        loaded = self.task.load_model(self.task.load_data(), components.quantizer, World(device=first_device()))
        base = loaded.model if components.quantizer is None else components.quantizer.prepare(loaded.model, False)
        attached = components.method.load_adapter(base, self.folder.adapter)
        return components.method.merge(attached, components.quantizer).cpu().eval()
