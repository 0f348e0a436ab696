"""The plan of a run: everything resolved and validated, as pure data.

A plan crosses process boundaries as JSON. It holds names and values, never live objects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs

from adapt_core.config.core_params import GROUPS, DataParams, ModelParams, RunParams, TrainingParams
from adapt_core.config.values import convert, is_not_given
from adapt_core.errors import DefectError
from adapt_core.plugin.params import as_keys, parameters_of
from adapt_core.plugin.registry import Registered, Registry

_SLOTS = ("task", "method", "quantizer", "launcher")


@attrs.frozen
class Choice:
    """One chosen task, method, quantizer or launcher, with where it comes from and its parameters.

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
    params: Any

    @classmethod
    def of(cls, item: Registered[Any], values: Mapping[str, Any]) -> Choice:
        """The choice of a registered spec with the given parameter values (by attribute)."""
        return cls(
            name=item.spec.name,
            distribution=item.provenance.distribution,
            version=item.provenance.version,
            implementation=item.spec.implementation,
            params=item.spec.params(**values),
        )

    def to_data(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "params": as_keys(self.params),
        }


@attrs.frozen(kw_only=True)
class Plan:
    """Everything that a run needs to know.

    Attributes:
        task, method, quantizer, launcher: what was chosen; the quantizer may be None.
        data, model, training, run: the values of core's keys.
        output_dir: the run folder, absolute.
        loop: the kind of loop the task trains with.
        trains_base: whether the checkpoint's own weights train.
        resume: None, "auto" for the newest whole checkpoint, or a checkpoint's path.
        disabled_plugins: plugins that were switched off, for worker processes.
        remarks: what was decided and should be said once in the log.
    """

    task: Choice
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
    resume: str | None = None
    disabled_plugins: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def keys(self) -> dict[str, Any]:
        """Every resolved key with its value, as `config.yaml` holds them: running them again gives this plan."""
        keys: dict[str, Any] = {}
        for group in GROUPS:
            keys.update(as_keys(getattr(self, group)))
        keys["TASK"] = self.task.name
        keys["method"] = self.method.name
        keys["launcher"] = self.launcher.name
        keys["OUTPUT_DIR"] = self.output_dir
        keys["FULL_FINE_TUNING"] = False
        keys["RESUME_FROM_CHECKPOINT"] = False
        for slot in _SLOTS:
            choice = getattr(self, slot)
            if choice is not None:
                keys.update(as_keys(choice.params))
        return {key: _as_lists(value) for key, value in keys.items()}

    @property
    def config_sha256(self) -> str:
        """SHA-256 (hex) of the resolved keys, without those that only say where results go."""
        keys = {key: value for key, value in self.keys().items() if key not in ("OUTPUT_DIR", "LOGGING_PATH")}
        return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()

    def arithmetic(self) -> dict[str, Any]:
        """The keys whose values change the arithmetic of training: they must not differ on resume."""
        keys: dict[str, Any] = {"TASK": self.task.name, "method": self.method.name}
        # What a task declares goes before core, as everywhere: WARMUP_RATIO is the OpenMMLab tasks' own.
        for params in [*self._choice_params(), *(getattr(self, group) for group in GROUPS)]:
            for parameter in parameters_of(type(params)).values():
                if not parameter.declaration.may_change_on_resume:
                    keys.setdefault(parameter.key, getattr(params, parameter.attribute))
        return {key: _as_lists(value) for key, value in keys.items()}

    def _choice_params(self) -> list[Any]:
        choices = (self.task, self.method, self.quantizer)
        return [choice.params for choice in choices if choice is not None]

    def to_json(self) -> str:
        """The plan as JSON text."""
        data: dict[str, Any] = {
            "output_dir": self.output_dir,
            "loop": self.loop,
            "trains_base": self.trains_base,
            "resume": self.resume,
            "disabled_plugins": self.disabled_plugins,
            "remarks": self.remarks,
        }
        for group in GROUPS:
            data[group] = as_keys(getattr(self, group))
        for slot in _SLOTS:
            choice = getattr(self, slot)
            data[slot] = None if choice is None else choice.to_data()
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: str, registry: Registry) -> Plan:
        """The plan that `to_json` wrote, with its choices found again.

        Raises:
            DefectError: a plugin that the plan names is absent here or has another version.
        """
        data = json.loads(text)
        groups: dict[str, Any] = {name: _restore(group, data[name]) for name, group in GROUPS.items()}
        choices: dict[str, Any] = {slot: data[slot] and _find(slot, data[slot], registry) for slot in _SLOTS}
        return cls(
            **groups,
            **choices,
            output_dir=data["output_dir"],
            loop=data["loop"],
            trains_base=data["trains_base"],
            resume=data["resume"],
            disabled_plugins=tuple(data["disabled_plugins"]),
            remarks=tuple(data["remarks"]),
        )


def _as_lists(value: Any) -> Any:
    """A value as YAML gives it back: lists for tuples, at any depth."""
    return [_as_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


def _restore(params: type, keys: Mapping[str, Any]) -> Any:
    values = {}
    for parameter in parameters_of(params).values():
        value = keys[parameter.key]
        values[parameter.attribute] = None if is_not_given(value) else convert(value, parameter)
    return params(**values)


def _find(slot: str, data: Mapping[str, Any], registry: Registry) -> Choice:
    shelf = getattr(registry, f"{slot}s")
    item = shelf.find(data["name"])
    wanted = f"{data['distribution']} {data['version']}"
    if item is None or str(item.provenance) != wanted:
        found = f"here it is {item.provenance}" if item else "it is not installed here"
        raise DefectError(f"the plan's {slot} {data['name']!r} comes from {wanted}; {found}.")
    choice = Choice.of(item, {})
    return attrs.evolve(choice, params=_restore(item.spec.params, data["params"]))
