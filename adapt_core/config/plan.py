"""The plan of a run: everything resolved and validated, as pure data.

A plan crosses process boundaries as JSON. It contains names and values only; `adapt_core.config.plan_json` converts it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Generic

import attrs

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.core_params.model import ModelParams
from adapt_core.config.core_params.run import RunParams
from adapt_core.config.core_params.training import TrainingParams
from adapt_core.plugin.params import as_keys, parameters_of

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    ParamsT = TypeVar("ParamsT", covariant=True, default=Any)
else:  # typing's own TypeVar takes a default from Python 3.13 on
    from typing import TypeVar

    ParamsT = TypeVar("ParamsT", covariant=True)

SLOTS = ("task", "method", "quantizer", "launcher")
"""The plugin components that a plan names."""


@attrs.frozen
class Choice(Generic[ParamsT]):
    """The task, method, quantizer, launcher or an exporter of a plan: its name, its origin and its parameters.

    Attributes:
        name: as registered.
        distribution, version: of the plugin that registered it.
        implementation: "package.module:Class".
        params: an instance of the spec's params class.
    """

    name: str
    distribution: str
    version: str
    implementation: str
    params: ParamsT


@attrs.frozen(kw_only=True)
class FormatChoice:
    """A format that serves the task of a plan.

    Attributes:
        name, summary, implementation, suffixes, general, paired, documents: see `adapt_core.plugin.specs.FormatSpec`.
        distribution, version: of the plugin that registered it.
    """

    name: str
    summary: str
    distribution: str
    version: str
    implementation: str
    suffixes: tuple[str, ...]
    general: bool
    paired: bool = False
    documents: bool = False


@attrs.frozen(kw_only=True)
class MetricChoice:
    """A metric that a plan computes beside those of its task.

    Attributes:
        name, implementation, kinds, figures, direction, bounds, mean_of_rows: see
            `adapt_core.plugin.metric_spec.MetricSpec`.
        distribution, version: of the plugin that registered it.
        params: an instance of the spec's params class.
    """

    name: str
    distribution: str
    version: str
    implementation: str
    params: Any
    kinds: tuple[str, ...]
    figures: tuple[str, ...]
    direction: str
    bounds: tuple[float, float]
    mean_of_rows: bool = False


@attrs.frozen(kw_only=True)
class Plan(Generic[ParamsT]):
    """Everything that a run needs to know.

    A task is annotated with its own params class, `Plan[TextClassificationParams]`, so that a type checker knows the
    parameters of `plan.task.params`.

    Attributes:
        task, method, quantizer, launcher: the components; quantizer is None for a float base.
        data, model, training, run: the values of core's keys.
        formats: the formats that serve the task, in the order in which their plugins are loaded.
        metrics: what METRICS chooses.
        exporters: what EXPORT chooses.
        output_dir: the run folder, absolute.
        loop: the kind of loop the task trains with.
        accelerators: the types of devices beside the CPU that this loop trains on; None for all.
        trains_base: whether the checkpoint's own weights train.
        resume: None, "auto" for the newest complete checkpoint, or a checkpoint's path.
        disabled_plugins: names of disabled plugins, for worker processes.
        remarks: decisions to be logged once.
        fitting: the keys that SETTINGS: auto has still to choose, by the rows of the data.
        foreign: whether the config comes with a run folder, which may be somebody else's: without TRUST_REMOTE_CODE
            nothing that it names is executed, a config in Python included.
    """

    task: Choice[ParamsT]
    method: Choice
    quantizer: Choice | None
    launcher: Choice
    data: DataParams
    model: ModelParams
    training: TrainingParams
    run: RunParams
    output_dir: str
    loop: str
    trains_base: bool
    formats: tuple[FormatChoice, ...] = ()
    metrics: tuple[MetricChoice, ...] = ()
    exporters: tuple[Choice, ...] = ()
    resume: str | None = None
    disabled_plugins: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    fitting: tuple[str, ...] = ()
    foreign: bool = False
    accelerators: tuple[str, ...] | None = None

    def keys(self) -> dict[str, Any]:
        """Return every resolved key with its value, as in `config.yaml`. Running them again gives this plan."""
        keys: dict[str, Any] = {}
        for group in GROUPS:
            keys.update(as_keys(getattr(self, group)))
        keys["TASK"] = self.task.name
        keys["method"] = self.method.name
        keys["launcher"] = self.launcher.name
        keys["OUTPUT_DIR"] = self.output_dir
        keys["FULL_FINE_TUNING"] = False
        keys["RESUME_FROM_CHECKPOINT"] = keys["RESUME_WITH_CHANGES"] = False
        for slot in SLOTS:
            choice = getattr(self, slot)
            if choice is not None:
                keys.update(as_keys(choice.params))
        for params in [one.params for one in self.metrics] + [one.params for one in self.exporters]:
            keys.update(as_keys(params))
        return {key: _as_lists(value) for key, value in keys.items()}

    @property
    def config_sha256(self) -> str:
        """SHA-256 (hex) of the resolved keys, without those that only set where results go."""
        keys = {key: value for key, value in self.keys().items() if key not in ("OUTPUT_DIR", "LOGGING_PATH")}
        return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()

    def arithmetic(self) -> dict[str, Any]:
        """Return the keys whose values change the arithmetic of training. They must not differ on resume."""
        keys: dict[str, Any] = {"TASK": self.task.name, "method": self.method.name}
        # A task's declaration overrides core's, as everywhere: the OpenMMLab tasks declare their own WARMUP_RATIO.
        for params in [*self._choice_params(), *(getattr(self, group) for group in GROUPS)]:
            for parameter in parameters_of(type(params)).values():
                if not parameter.declaration.may_change_on_resume:
                    keys.setdefault(parameter.key, getattr(params, parameter.attribute))
        return {key: _as_lists(value) for key, value in keys.items()}

    def _choice_params(self) -> list[Any]:
        choices = (self.task, self.method, self.quantizer)
        return [choice.params for choice in choices if choice is not None]


def _as_lists(value: object) -> Any:
    """Return a value as YAML loads it: tuples become lists, at any depth."""
    return [_as_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
