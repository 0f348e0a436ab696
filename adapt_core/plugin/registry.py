"""Finding plugins, keeping the broken ones apart, and looking things up by name.

Discovery imports the hook module of each plugin and nothing else. Whatever goes wrong with one plugin is kept
next to its name and version, and becomes an error only for a run that asks for what the plugin provides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

import attrs
from pluggy import PluginManager, PluginValidationError

import adapt_core.plugin.hookspecs as hookspecs  # "from" would ask the package's lazy names
from adapt_core.errors import InputError
from adapt_core.plugin.command_spec import CommandSpec
from adapt_core.plugin.entry_points import PluginEntry, plugin_entries
from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.params import Parameter, parameters_of
from adapt_core.plugin.specs import (
    HOOK_API,
    DataCheckSpec,
    FormatSpec,
    LauncherSpec,
    MethodSpec,
    QuantizerSpec,
    Spec,
    TaskSpec,
    TrackerSpec,
)

ENTRY_POINT_GROUP = "adapt"
DISABLE_VARIABLE = "ADAPT_DISABLE_PLUGINS"
CORE = "core"

SpecT = TypeVar("SpecT", bound=Spec)


@attrs.frozen
class Provenance:
    """The origin of a plugin: entry point, distribution and version."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@attrs.frozen
class Registered(Generic[SpecT]):
    """A spec with the plugin that registered it."""

    spec: SpecT
    provenance: Provenance

    def params_class(self) -> type[Any]:
        """Return the class that declares the parameters, each of which can be read.

        Raises:
            InputError: there is no such class, or a field of it is not declared; the message names plugin and class.
        """
        try:
            params = self.spec.load_params()
            parameters_of(params)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin's module can end in anything, SystemExit among it
            plugin, named = self.provenance, self.spec.params
            name = named if isinstance(named, str) else f"{named.__module__}:{named.__qualname__}"
            raise InputError(
                f"{self.spec.name} of {plugin} cannot be used: its params {name!r} cannot be loaded "
                f"({_describe(error)}). Install {plugin.distribution} again, or switch it off: "
                f"adapt -p no:{plugin.plugin} ..."
            ) from error
        return params


@attrs.frozen
class BrokenPlugin:
    """A plugin, or one thing that it registered, that cannot be used, and why."""

    provenance: Provenance
    cause: str
    names: tuple[str, ...] = ()
    """The names it would have provided, where that much is known."""


@attrs.define
class Shelf(Generic[SpecT]):
    """The registered specs of one kind, which a hook returns, by folded name and alias."""

    kind: str
    spec_type: type[SpecT]
    hook: str
    by_name: dict[str, Registered[SpecT]] = attrs.field(factory=dict)
    taken_twice: dict[str, list[Provenance]] = attrs.field(factory=dict)

    def names(self) -> list[str]:
        return [item.spec.name for item in self]

    def __iter__(self) -> Iterator[Registered[SpecT]]:
        return iter({id(item): item for item in self.by_name.values()}.values())

    def find(self, name: str) -> Registered[SpecT] | None:
        return self.by_name.get(name.casefold())

    def spec_of(self, name: str) -> SpecT | None:
        return item.spec if (item := self.find(name)) else None


class Registry:
    """The registered specs, each with its plugin. Build it with `Registry.discover()`.

    Attributes:
        tasks, methods, quantizers, launchers, formats, data_checks, metrics, ...: shelves, one of each kind.
        provenance: every plugin that was loaded; disabled: names of plugins that were switched off.
        broken: what could not be used, with its cause.
    """

    def __init__(self) -> None:
        self.tasks: Shelf[TaskSpec] = Shelf("task", TaskSpec, "adapt_tasks")
        self.methods: Shelf[MethodSpec] = Shelf("method", MethodSpec, "adapt_methods")
        self.quantizers: Shelf[QuantizerSpec] = Shelf("quantizer", QuantizerSpec, "adapt_quantizers")
        self.launchers: Shelf[LauncherSpec] = Shelf("launcher", LauncherSpec, "adapt_launchers")
        self.formats: Shelf[FormatSpec] = Shelf("format", FormatSpec, "adapt_formats")
        self.data_checks: Shelf[DataCheckSpec] = Shelf("data check", DataCheckSpec, "adapt_data_checks")
        self.metrics: Shelf[MetricSpec] = Shelf("metric", MetricSpec, "adapt_metric_specs")
        self.exporters: Shelf[ExporterSpec] = Shelf("exporter", ExporterSpec, "adapt_exporters")
        self.trackers: Shelf[TrackerSpec] = Shelf("tracker", TrackerSpec, "adapt_trackers")
        self.commands: Shelf[CommandSpec] = Shelf("command", CommandSpec, "adapt_commands")
        self.provenance: dict[str, Provenance] = {}
        self.broken: list[BrokenPlugin] = []
        self.disabled: list[str] = []
        self.manager = PluginManager("adapt")
        self.manager.add_hookspecs(hookspecs)

    @classmethod
    def discover(cls, disabled: Iterable[str] = ()) -> Registry:
        """Load every plugin that is installed, except the disabled ones.

        Args:
            disabled: entry-point or distribution names to leave out, besides those in ADAPT_DISABLE_PLUGINS.

        Raises:
            InputError: a name in `disabled` is not an installed plugin's. (In the environment variable it is only
                ignored: a variable may serve several environments.)
        """
        registry = cls()
        found = sorted(plugin_entries(ENTRY_POINT_GROUP), key=lambda e: (e.name != CORE, e.name))
        asked = [name.strip() for name in disabled if name.strip()]
        from_environment = os.environ.get(DISABLE_VARIABLE, "").split(",")
        off = {_normalise(name) for name in [*asked, *from_environment] if name.strip()}
        known = {_normalise(name) for entry in found for name in _names(entry)}
        for name in asked:
            if _normalise(name) not in known:
                plugins = ", ".join(entry.name for entry in found if entry.name != CORE) or "none"
                raise InputError(
                    f"-p no:{name}: no plugin of that name is installed. Leave it out, or name one that is: {plugins}."
                )
        for entry in found:
            if entry.name != CORE and any(_normalise(name) in off for name in _names(entry)):
                registry.disabled.append(entry.name)
            else:
                registry._load(entry)
        return registry

    def _load(self, entry: PluginEntry) -> None:
        provenance = Provenance(
            plugin=entry.name,
            distribution=entry.distribution or "unknown distribution",
            version=entry.version or "unknown",
        )
        try:
            plugin = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - any plugin code may raise or exit; the cause is kept
            self.broken.append(BrokenPlugin(provenance, f"import failed: {_describe(error)}"))
            return
        self.add(plugin, provenance)

    def add(self, plugin: Any, provenance: Provenance) -> None:
        """Register a plugin object. Anything that is wrong with it goes to `broken`, never raises."""
        wanted = getattr(plugin, "adapt_hook_api", HOOK_API)
        if not isinstance(wanted, int) or wanted > HOOK_API:
            cause = f"written for hook API {wanted}, this adapt-core has {HOOK_API}: pip install --upgrade adapt-core"
            self.broken.append(BrokenPlugin(provenance, cause))
            return
        try:
            self.manager.register(plugin, name := provenance.plugin)
            self._refuse_misspelt(name)
        except (PluginValidationError, ValueError) as error:
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            self.broken.append(BrokenPlugin(provenance, f"hooks do not fit: {_describe(error)}"))
            return
        self.provenance[name] = provenance
        for shelf in self.shelves:
            self._collect(shelf, shelf.hook, provenance)

    def _refuse_misspelt(self, name: str) -> None:
        plugin = self.manager.get_plugin(name)
        for caller in self.manager.get_hookcallers(plugin) or ():
            if caller.spec is None:
                raise ValueError(f"{caller.name} is not a hook of adapt")

    def _collect(self, shelf: Shelf[Any], hook: str, provenance: Provenance) -> None:
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            if implementation.plugin_name != provenance.plugin:
                continue
            try:
                specs = implementation.function()
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - as in _load
                self.broken.append(BrokenPlugin(provenance, f"{hook}() raised {_describe(error)}"))
                continue
            if not isinstance(specs, (list, tuple)):
                cause = f"{hook}() must return a list of {shelf.spec_type.__name__}, not {type(specs).__name__}"
                self.broken.append(BrokenPlugin(provenance, cause))
                continue
            for spec in specs:
                self._shelve(shelf, hook, spec, provenance)

    def _shelve(self, shelf: Shelf[Any], hook: str, spec: Any, provenance: Provenance) -> None:
        if not isinstance(spec, shelf.spec_type):
            cause = f"{hook}() returned a {type(spec).__name__}, not a {shelf.spec_type.__name__}"
            self.broken.append(BrokenPlugin(provenance, cause))
            return
        names = [spec.name.casefold(), *(alias.casefold() for alias in spec.aliases)]
        for name in names:
            holder = shelf.by_name.get(name)
            if holder is not None:
                cause = f"{shelf.kind} {name!r} is already registered by {holder.provenance}"
                self.broken.append(BrokenPlugin(provenance, cause, (name,)))
                if holder.provenance.plugin != CORE:
                    shelf.taken_twice.setdefault(name, [holder.provenance]).append(provenance)
                return
        item = Registered(spec, provenance)
        for name in names:
            shelf.by_name[name] = item

    def __iter__(self) -> Iterator[Registered[Any]]:
        """Yield everything registered, shelf by shelf."""
        return (item for shelf in self.shelves for item in shelf)

    @property
    def shelves(self) -> tuple[Shelf[Any], ...]:
        """The shelves of all kinds."""
        return tuple(one for one in vars(self).values() if isinstance(one, Shelf))

    def parameters(self, item: Registered[Any]) -> dict[str, Parameter]:
        """Return the parameters of a registered spec, by folded key.

        Where they cannot be loaded there are none, and `broken` has the cause: only a run that chooses the spec fails,
        by `Registered.params_class`.
        """
        try:
            return parameters_of(item.params_class())
        except InputError as error:
            broken = BrokenPlugin(item.provenance, str(error), (item.spec.name.casefold(),))
            if broken not in self.broken:
                self.broken.append(broken)
            return {}

    def task_spec(self, name: str) -> TaskSpec:
        """Return the spec of a registered task.

        Raises:
            LookupError: no such task is registered.
        """
        spec = self.tasks.spec_of(name)
        if spec is None:
            raise LookupError(f"no task {name!r} is registered")
        return spec

    def module_of(self, plugin: str) -> str:
        """Return the top-level package of a plugin's hook module."""
        loaded = self.manager.get_plugin(plugin)
        name = getattr(loaded, "__name__", None) or type(loaded).__module__
        return str(name).partition(".")[0]


def _names(entry: PluginEntry) -> tuple[str, ...]:
    return (entry.name, entry.distribution) if entry.distribution else (entry.name,)


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).casefold()


def _describe(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
