"""A finished run, opened again: its task and its adapted model, merged and checked where the run did not merge it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from adapt_core.capabilities import SupportsPickledModels, SupportsRandomBatch
from adapt_core.config.plan import Plan
from adapt_core.config.reader import read_overrides
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.contracts import Task, TaskData
from adapt_core.errors import ConfigError, InputError, Where
from adapt_core.execution.components import Components, make_task
from adapt_core.execution.model_data import read_model_data
from adapt_core.nn.pickles import weights_only
from adapt_core.nn.weights import FILES, load_pickled_model, saved_form
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.paths import RunFolder

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.result_records import MergeOutcome


log = logging.getLogger(__name__)


@attrs.frozen
class MergedModel:
    """A plain model with the adapter of a finished run merged in.

    Attributes:
        model: on the CPU, in evaluation mode.
        outcome: the outcome of the merge check; None where there was no batch to check it on.
    """

    model: nn.Module
    outcome: MergeOutcome | None


@attrs.frozen
class FinishedRun:
    """A run folder whose run is finished. Make it with `FinishedRun.open`."""

    folder: RunFolder
    plan: Plan
    registry: Registry
    task: Task

    @classmethod
    def open(cls, run_dir: str | Path, disable_plugins: Iterable[str] = (), *, trust: bool = False) -> FinishedRun:
        """Open a run folder.

        Args:
            run_dir: the folder.
            disable_plugins: plugins to leave out.
            trust: as TRUST_REMOTE_CODE. The value in the folder's own config does not count: whoever uses a run
                need not be who made it.

        Raises:
            InputError: it is not a run folder, or its run is not finished.
        """
        return cls._open(run_dir, [f"TRUST_REMOTE_CODE={str(trust).lower()}", "EXPORT="], disable_plugins)

    @classmethod
    def open_for(cls, run_dir: str | Path, exporter: str, settings: Iterable[str]) -> FinishedRun:
        """Open a run folder for an export: its plan has this exporter, with the keys that were set, and no other.

        Args:
            run_dir: the folder.
            exporter: its name.
            settings: "KEY=VALUE": keys of the exporter, and TRUST_REMOTE_CODE.

        Raises:
            InputError: as `open` does, or there is no such exporter, or it has no such key.
        """
        given = list(settings)
        try:
            opened = cls._open(run_dir, ["TRUST_REMOTE_CODE=false", *given, f"EXPORT={json.dumps([exporter])}"], ())
        except ConfigError as error:
            # The name was given as that of the export, and not by a key.
            renamed = (
                attrs.evolve(one, key=None, where=Where("--to")) for one in error.problems if one.key == "EXPORT"
            )
            raise ConfigError([*renamed, *(one for one in error.problems if one.key != "EXPORT")]) from None
        (chosen,) = opened.plan.exporters
        known = parameters_of(type(chosen.params))
        for entry in read_overrides(given):
            if entry.key.casefold() not in (*known, "trust_remote_code"):
                keys = ", ".join([*(parameter.key for parameter in known.values()), "TRUST_REMOTE_CODE"])
                raise InputError(f"--set {entry.key}: {chosen.name} takes {keys}; the run's config decides the rest.")
        return opened

    @classmethod
    def _open(cls, run_dir: str | Path, overrides: Iterable[str], disable_plugins: Iterable[str]) -> FinishedRun:
        folder = RunFolder(Path(run_dir).expanduser().absolute())
        if not folder.path.exists():
            raise InputError(f"{folder.path} does not exist. Give a run folder, the OUTPUT_DIR of `adapt run`.")
        if not folder.started():
            raise InputError(
                f"{folder.path} is not a run folder: it has no {folder.config.name}. Give the OUTPUT_DIR of a run."
            )
        if folder.finished() is None:
            raise InputError(f"the run in {folder.path} is not finished. Go on with it: adapt run CONFIG --resume")
        registry = Registry.discover(disable_plugins)
        config = RunConfig.read(folder.config, [*overrides, "TRACKERS=", "START_FROM="])
        plan = resolve(attrs.evolve(config, foreign=True), registry)
        return cls(folder, plan, registry, make_task(plan))

    @weights_only()
    def model(self) -> nn.Module:
        """Return the adapted model as a plain module, on the CPU, in evaluation mode.

        An adapter that the run did not merge is merged now, and the merge checked.

        Raises:
            InputError: the model is a pickle, which can run code, and the folder was opened without trust; or the base
                model of an adapter is gone.
            DefectError: the merged model does not compute what the unmerged one does.
        """
        if not self.folder.model.is_dir():
            return self.merged().model
        if saved_form(self.folder.model) == "full_torch_model":
            path, trusted = self.folder.model / FILES["full_torch_model"], self.plan.model.trust_remote_code
            if trusted and isinstance(self.task, SupportsPickledModels):
                self.task.import_model_classes()
            return load_pickled_model(path, trusted=trusted).eval()
        return self.task.load_model_folder(self.folder.model)

    @weights_only()
    def merged(self, dtype: str | None = None) -> MergedModel:
        """Merge the run's adapter into its base model and check the merge. Raises as `model` does.

        Args:
            dtype: in place of the run's MERGE_DTYPE.
        """
        from adapt_core.distributed.devices import device_here
        from adapt_core.distributed.world import World
        from adapt_core.execution.merge import merge_checked
        from adapt_core.nn.random_state import seed_everything
        from adapt_core.verification.merge import OutputComparison, merge_findings

        components = Components.of(self.plan, task=self.task)
        data = self._model_data()
        seed_everything(self.plan.training.seed)  # as the run did: what no checkpoint has, starts from random values
        loaded = self.task.load_model(data, components.quantizer, World(device=device_here(self.plan)))
        base, quantizer = loaded.model, components.quantizer
        inputs = self.task.random_batch(base) if isinstance(self.task, SupportsRandomBatch) else None
        check = OutputComparison(inputs, "random", rounded=quantizer is not None or loaded.dtype != "float32")
        if quantizer is not None:
            base = quantizer.prepare(base, False)
        attached = components.method.load_adapter(base, self.folder.adapter)
        plain, outcome = merge_checked(
            attached, components.method, quantizer, check, dtype or self.plan.run.merge_dtype
        )
        for finding in merge_findings(outcome, loaded.dtype):
            log.warning("%s", finding)
        if outcome is None:
            log.warning("the merge is not checked: there is no batch to compare outputs on.")
        return MergedModel(plain.cpu().eval(), outcome)

    def _model_data(self) -> TaskData:
        """Return what the adapter's base model takes from the data, with what the run counted in it."""
        result = self.folder.finished()
        kept = read_model_data(self.folder.adapter)
        if kept is not None and result is not None:
            return attrs.evolve(kept, stats=dict(result.data))
        try:
            return self.task.load_data()
        except InputError as error:
            raise InputError(
                f"{error} {self.folder.path} has only an adapter, of a version of adapt that built its base model from "
                "the run's data. Give the data back their place."
            ) from error
