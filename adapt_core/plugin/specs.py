"""The specs that a plugin registers: frozen, and cheap to build.

A spec names its implementation as an import string, and may name its params class so, too: listing plugins then imports
nothing heavy and builds no class for parameters that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs
from pluggy import HookimplMarker

from adapt_core.plugin.import_strings import is_import_string, load_object
from adapt_core.plugin.params import NoParams

HOOK_API = 6
"""The version of these hooks. It rises when a plugin written for it would not work with an older core.

2 has `adapt_formats`, `FormatSpec` and `TaskSpec.shapes`; 3 has `adapt_data_checks` and `DataCheckSpec`;
4 has `adapt_metric_specs`, `MetricSpec` and `TaskSpec.predictions`;
5 has `adapt_exporters`, `ExporterSpec`, `adapt_trackers` and `TrackerSpec`; 6 has `adapt_commands` and `CommandSpec`.
"""

hookimpl = HookimplMarker("adapt")
"""Marks a function of a plugin as the implementation of one of `adapt_core.plugin.hookspecs`."""


def _import_string(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not is_import_string(value):
        raise ValueError(f"{attribute.name} must read 'package.module:Name', not {value!r}")


def _is_params_class(value: object) -> bool:
    return isinstance(value, type) and attrs.has(value)


def _params(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not (is_import_string(value) if isinstance(value, str) else _is_params_class(value)):
        raise TypeError(
            f"{attribute.name} must be an attrs class of adapt_core.plugin.params.param() fields, or name one as "
            f"'package.module:Class', not {value!r}"
        )


def _read_only(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _frozen_mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType({key.casefold(): item for key, item in value.items()})


@attrs.frozen(kw_only=True, eq=False)
class Spec:
    """The base of the kinds of spec.

    Attributes:
        name: the documented name; matched without regard to case.
        summary: one line for `adapt plugins`.
        implementation: "package.module:Class", imported when a run needs it.
        params: the attrs class that declares its parameters, or "package.module:Class", imported when parameters are
            asked for: by a run, `adapt check` and `adapt params`, not by `adapt plugins`.
        aliases: other names that mean the same.
    """

    name: str = attrs.field(validator=attrs.validators.instance_of(str))
    summary: str
    implementation: str = attrs.field(validator=_import_string)
    params: type[Any] | str = attrs.field(default=NoParams, validator=_params)
    aliases: tuple[str, ...] = ()

    def load(self) -> Any:
        """Import and return the implementation class.

        Raises:
            ImportError, AttributeError: as the plugin's module raises them.
        """
        return load_object(self.implementation)

    def load_params(self) -> type[Any]:
        """Return the params class, imported where the spec names it by an import string.

        Raises:
            ImportError, AttributeError: as the plugin's module raises them.
            TypeError: the import string names no attrs class.
        """
        if not isinstance(self.params, str):
            return self.params
        params = load_object(self.params)
        if not _is_params_class(params):
            raise TypeError("not an attrs class of param() fields")
        loaded: type[Any] = params
        return loaded


TABLE = "table"
"""The shape of rows whose columns the keys of a task name. Other shapes: `adapt_core.contracts.format.SHAPES`."""


def _suffixes(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    for suffix in value:
        if not suffix.startswith(".") or suffix != suffix.casefold():
            raise ValueError(f"{attribute.name} must be small letters that begin with a dot, not {suffix!r}")


@attrs.frozen(kw_only=True, eq=False)
class FormatSpec(Spec):
    """A format of data. Its implementation, constructed without arguments, answers `adapt_core.contracts.Format`.

    `summary` is what messages call it ("COCO JSON"). It takes no parameters.

    Attributes:
        shapes: the shapes of rows that it gives: it serves the tasks that read one of them.
        suffixes: of its files, in small letters (".jsonl"). It is asked about a split that has such files; without
            any, about every split.
        general: whether it recognises a split by names of files alone, as tables do. It is asked where no format that
            looks into the files recognises them.
        paired: whether a file in a folder counts only beside one of the same name with another of the suffixes, as
            those of languages do: `train.pl` alone is a script.
        documents: whether each file, with those of the same name and another of the suffixes beside it, is a document:
            a folder of such files is the training split, whatever their names, and a file may be empty.
    """

    shapes: tuple[str, ...] = attrs.field(validator=attrs.validators.min_len(1))
    suffixes: tuple[str, ...] = attrs.field(default=(), validator=_suffixes)
    general: bool = False
    paired: bool = False
    documents: bool = False


@attrs.frozen(kw_only=True, eq=False)
class DataCheckSpec(Spec):
    """A check of the data before training. Its implementation, constructed without arguments, answers
    `adapt_core.contracts.DataCheck`. It takes no parameters.

    Attributes:
        shapes: the shapes of rows that it serves: it is asked about the data of tasks that read one of them. Without
            any it serves all.
    """

    shapes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False)
class TrackerSpec(Spec):
    """A tracker that TRACKERS can choose. Its implementation, called without arguments, returns an
    `adapt_core.contracts.Tracker`. It takes no parameters.

    Attributes:
        requires: distributions that it needs beyond those of its plugin, as pip knows them.
    """

    requires: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False)
class LoopSpec:
    """A kind of training loop, named by the tasks that train in it.

    Attributes:
        name: the kind, which a launcher must serve: "hf", "mm", or a third party's name.
        optimizers: choices of OPTIMIZER; each with the package that it needs beyond the loop's own, or None.
        schedules: choices of SCHEDULER_TYPE.
        accelerators: the types of devices beside the CPU that it trains on ("cuda"); None for all that torch knows.
        averages: whether it can average weights, for EMA and KEEP: soup.
    """

    name: str
    optimizers: Mapping[str, str | None] = attrs.field(converter=_read_only)
    schedules: tuple[str, ...]
    accelerators: tuple[str, ...] | None = None
    averages: bool = False

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """Folded core keys to their choices in this loop."""
        return {"optimizer": tuple(self.optimizers), "scheduler_type": self.schedules}


@attrs.frozen(kw_only=True, eq=False)
class TaskSpec(Spec):
    """A task. Its implementation answers `adapt_core.contracts.Task`.

    Attributes:
        loop: the kind of training loop (`adapt_core.hf.HF_LOOP`, or one's own).
        core_defaults: defaults of core keys that differ for this task (`{"MODEL_PATH": "densenet121"}`).
        metrics: the metrics it reports, the one that decides what is best first; each with whether "higher" or
            "lower" is better. `loss` is always there.
        bounds: the least and the greatest value that a metric can have (`{"accuracy": (0, 1)}`), where a chart's axis
            ends; an infinite one where it has none.
        pipeline: the hub's name of the task ("text-classification") for the model card, or a function that returns it
            from the task's params; None where the hub has none.
        library: the hub's name of the library that loads the saved model ("transformers"), for the model card; or a
            function (plan) -> name.
        shapes: the shapes of rows that it reads, see `FormatSpec`, or a function that returns them from the task's
            params. Without any it reads tables, whose columns its keys name.
        predictions: the kinds of predictions that its evaluations make (`adapt_core.evaluated_rows.KINDS`), which say
            what METRICS fit, or a function that returns them from the task's params.
    """

    loop: LoopSpec = attrs.field(validator=attrs.validators.instance_of(LoopSpec))
    metrics: Mapping[str, str] = attrs.field(factory=dict, converter=_read_only)
    bounds: Mapping[str, tuple[float, float]] = attrs.field(factory=dict, converter=_read_only)
    core_defaults: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen_mapping)
    pipeline: str | Callable[[Any], str | None] | None = None
    library: str | Callable[[Any], str | None] | None = None
    shapes: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = (TABLE,)
    predictions: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()

    def predictions_of(self, params: Any) -> tuple[str, ...]:
        """Return the kinds of predictions of the task with these params."""
        return self.predictions(params) if callable(self.predictions) else self.predictions

    def shapes_of(self, params: Any) -> tuple[str, ...]:
        """Return the shapes of rows that the task with these params reads."""
        return self.shapes(params) if callable(self.shapes) else self.shapes

    def pipeline_of(self, params: Any) -> str | None:
        """Return the hub's name of the task with these params."""
        return self.pipeline(params) if callable(self.pipeline) else self.pipeline

    def library_of(self, plan: Any) -> str | None:
        """Return the hub's name of the library that loads a model of this plan."""
        return self.library(plan) if callable(self.library) else self.library


@attrs.frozen(kw_only=True, eq=False)
class MethodSpec(Spec):
    """A method. Its implementation answers `adapt_core.contracts.Method`.

    Attributes:
        trains_base: whether the checkpoint's own weights train, so that DTYPE auto means float32.
        is_peft: whether it adds an adapter to a frozen base, which contradicts FULL_FINE_TUNING.
        on_quantized: whether it can train on a quantized base, by default where the base's own weights stand still.
    """

    trains_base: bool = False
    is_peft: bool = True
    on_quantized: bool = attrs.field(default=attrs.Factory(lambda spec: not spec.trains_base, takes_self=True))


@attrs.frozen(kw_only=True, eq=False)
class QuantizerSpec(Spec):
    """A quantizer. Its implementation answers `adapt_core.contracts.Quantizer`.

    Attributes:
        switch: the boolean key that turns it on (`load_in_4bit`).
        bits: bits a weight.
    """

    switch: str
    bits: int


@attrs.frozen(kw_only=True, eq=False)
class LauncherSpec(Spec):
    """A launcher. Its implementation answers `adapt_core.contracts.Launcher`.

    Attributes:
        switch: the boolean key that turns it on (`DDP`), or None for one chosen by `launcher: NAME` alone.
        loops: the kinds of loop that it serves; empty for all.
        shards_layers: it gathers the weights of a layer while the layer is called, and recomputes layers itself: they
            cannot be compiled, nor keep their attention (COMPILE, KEEP_ATTENTION).
    """

    switch: str | None = None
    loops: frozenset[str] = frozenset()
    shards_layers: bool = False


@attrs.frozen(kw_only=True, eq=False)
class OptionalDependency:
    """A package that a plugin can use and that may be absent, as `adapt doctor` reports it.

    Attributes:
        name: the package ("onedl-mmdetection").
        purpose: what it is for.
        present: whether it is installed.
        add: the command that installs it.
        note: a remark where it is installed ("operators: torchvision").
    """

    name: str
    purpose: str
    present: bool
    add: str
    note: str = ""
