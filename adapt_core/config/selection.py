"""Which task, method, quantizer and launcher the switches of a config choose."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import attrs

from adapt_core.config import known_keys, legacy
from adapt_core.config.other_names import OTHER_METHODS, OTHER_TASKS
from adapt_core.config.plan import SLOTS, Choice
from adapt_core.config.sections import Given
from adapt_core.config.values import ValueProblem, as_bool, is_not_given
from adapt_core.errors import InputError, Problem
from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.registry import Registered, Registry, Shelf, SpecT
from adapt_core.plugin.specs import FormatSpec, LauncherSpec, MethodSpec, QuantizerSpec, TaskSpec


@attrs.define
class Selection:
    """The choices of a config. A slot, or `format`, is None where nothing was chosen or the choice was at fault."""

    task: Registered[TaskSpec] | None = None
    method: Registered[MethodSpec] | None = None
    quantizer: Registered[QuantizerSpec] | None = None
    launcher: Registered[LauncherSpec] | None = None
    format: Registered[FormatSpec] | None = None
    metrics: tuple[Registered[MetricSpec], ...] = ()
    exporters: tuple[Registered[ExporterSpec], ...] = ()
    remarks: list[str] = attrs.field(factory=list)
    problems: list[Problem] = attrs.field(factory=list)
    unreadable: bool = False
    """Whether the parameters of something that was chosen cannot be loaded, so that its keys are not known."""

    @property
    def named(self) -> list[tuple[str, Registered[Any]]]:
        """What a config names in lists, each with the slot of its parameters: metrics and exporters."""
        return [(f"metric {item.spec.name}", item) for item in self.metrics] + [
            (f"exporter {item.spec.name}", item) for item in self.exporters
        ]

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of what METRICS adds to a run."""
        return tuple(name for item in self.metrics for name in item.spec.figures)


def choice_of(item: Registered[SpecT], params: object) -> Choice:
    """Return a registered component as a plan's choice.

    Args:
        item: its spec and provenance.
        params: an instance of the spec's params class.
    """
    return Choice(
        name=item.spec.name,
        distribution=item.provenance.distribution,
        version=item.provenance.version,
        implementation=item.spec.implementation,
        params=params,
    )


def chosen_method_name(given: Mapping[str, Given]) -> str | None:
    """Return the folded name of the method that the switches choose, before it is looked up."""
    named = given.get("method")
    if named is not None:
        return str(named.value).strip().casefold()
    if is_on(given.get("full_fine_tuning")):
        return "full"
    return "last_layer" if is_on(given.get("last_layer_tuning")) else "full"


def is_on(given: Given | None) -> bool:
    """Return whether a boolean switch is given and on. Another value counts as off and is reported elsewhere."""
    if given is None:
        return False
    try:
        return as_bool(given.value)
    except ValueProblem:
        return False


def select(given: Mapping[str, Given], registry: Registry) -> Selection:
    """Choose by the switches of the config, and collect every contradiction."""
    selection = Selection()
    _select_task(given, registry, selection)
    _select_method(given, registry, selection)
    _select_quantizer(given, registry, selection)
    _select_launcher(given, registry, selection)
    _select_format(given, registry, selection)
    _leave_out_without_params(selection)
    return selection


def _select_task(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    entry = given.get("task")
    if entry is None:
        names = ", ".join(sorted(registry.tasks.names())) or "none (pip install adapt-nlp adapt-vision-mm)"
        selection.problems.append(Problem(f"TASK is missing. Set it to one of the tasks installed: {names}."))
        return
    name = str(entry.value).strip()
    if name.casefold() == legacy.SEQ2SEQ:
        subtask = given.get("subtask")
        name = str(subtask.value).strip() if subtask else ""
        if name.casefold() not in legacy.SEQ2SEQ_SUBTASKS:
            wanted = " or ".join(legacy.SEQ2SEQ_SUBTASKS)
            selection.problems.append(
                Problem(f"{entry.value} needs subtask: {wanted}.", key=entry.written, where=entry.where)
            )
            return
    selection.task = look_up(registry.tasks, known_keys.TASKS, name, entry, registry, selection)


def _select_method(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    named, full, last = given.get("method"), given.get("full_fine_tuning"), given.get("last_layer_tuning")
    name = chosen_method_name(given) or "full"
    entry = named or (full if is_on(full) else last if is_on(last) else None)
    if named is not None:
        name = str(named.value).strip()
    if named is None and is_on(full) and is_on(last):
        assert full is not None
        assert last is not None
        message = f"contradicts FULL_FINE_TUNING ({full.where}): one trains everything, the other the last layers."
        selection.problems.append(Problem(message, key=last.written, where=last.where, hint="Turn one off."))
        return
    if entry is None:
        selection.remarks.append("no method is given: full (every parameter trains)")
    selection.method = look_up(registry.methods, known_keys.METHODS, name, entry, registry, selection)
    is_peft = selection.method.spec.is_peft if selection.method else name in known_keys.METHODS
    if named is not None and is_on(full) and name.casefold() != "full":
        assert full is not None
        reason = "trains an adapter on a frozen model" if is_peft else "does not train every parameter"
        message = f"contradicts method {name} ({named.where}), which {reason}."
        selection.problems.append(Problem(message, key=full.written, where=full.where, hint="Turn one off."))


def _select_quantizer(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    switches = {item.spec.switch.casefold(): item for item in registry.quantizers}
    on = [given[key] for key in given if key in switches and is_on(given[key])]
    _absent_switches("quantizer", given, set(switches), selection)
    if len(on) > 1:
        first, second = on[:2]
        message = f"contradicts {first.written} ({first.where}): a base model is quantized in one way."
        selection.problems.append(Problem(message, key=second.written, where=second.where, hint="Turn one off."))
    elif on:
        selection.quantizer = switches[on[0].key]


def _select_launcher(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    switches = {item.spec.switch.casefold(): item for item in registry.launchers if item.spec.switch}
    on = [given[key] for key in given if key in switches and is_on(given[key])]
    _absent_switches("launcher", given, set(switches), selection)
    named = given.get("launcher")
    chosen = None
    if named is not None:
        chosen = look_up(registry.launchers, known_keys.LAUNCHERS, str(named.value).strip(), named, registry, selection)
    rivals = [entry for entry in on if chosen is None or switches[entry.key] is not chosen]
    if named is not None and chosen is not None and rivals:
        message = f"contradicts launcher: {named.value} ({named.where})."
        selection.problems.append(
            Problem(message, key=rivals[0].written, where=rivals[0].where, hint="Keep one of them.")
        )
    elif len(on) > 1:
        message = f"contradicts {on[0].written} ({on[0].where}): a run has one launcher."
        selection.problems.append(Problem(message, key=on[1].written, where=on[1].where, hint="Turn one off."))
    elif on:
        chosen = switches[on[0].key]
    selection.launcher = chosen or (registry.launchers.find("local") if named is None else None)


def _select_format(given: Mapping[str, Given], registry: Registry, selection: Selection) -> None:
    named = given.get("data_format")
    if named is not None and not is_not_given(named.value):
        name = str(named.value).strip()
        selection.format = look_up(registry.formats, known_keys.FORMATS, name, named, registry, selection)


def _leave_out_without_params(selection: Selection) -> None:
    """Report each choice whose params class cannot be loaded, and leave its slot empty."""
    for slot in SLOTS:
        chosen = getattr(selection, slot)
        try:
            _ = chosen and chosen.params_class()
        except InputError as error:
            selection.problems.append(Problem(str(error)))
            selection.unreadable = True
            setattr(selection, slot, None)


def _absent_switches(kind: str, given: Mapping[str, Given], present: set[str], selection: Selection) -> None:
    for key, switch in known_keys.SWITCHES.items():
        if switch.kind == kind and key not in present and is_on(given.get(key)):
            entry = given[key]
            message = f"{kind} {switch.name} is in {switch.distribution}: pip install {switch.distribution}"
            selection.problems.append(Problem(message, key=entry.written, where=entry.where))


def look_up(
    shelf: Shelf[SpecT],
    well_known: Mapping[str, str],
    name: str,
    entry: Given | None,
    registry: Registry,
    selection: Selection,
) -> Registered[SpecT] | None:
    """Return what a name means on a shelf; None, with a problem of the selection, where it cannot be used.

    Args:
        shelf: the registered specs of a kind.
        well_known: names of the kind in adapt's own distributions.
        name: as it was written.
        entry: where.
        registry: for broken and disabled plugins.
        selection: gets the problem.
    """
    kind = shelf.kind
    folded = name.casefold()
    claimants = shelf.taken_twice.get(folded)
    found = shelf.find(name)
    if found is not None and not claimants:
        return found
    place: dict[str, Any] = {"key": entry.written, "where": entry.where} if entry else {}
    hint: str | None = None
    if claimants:
        names = " and ".join(str(provenance) for provenance in claimants)
        off_switch = f"Switch one off: adapt -p no:{claimants[-1].plugin} ..."
        selection.problems.append(Problem(f"{kind} {name!r} is registered by {names}.", hint=off_switch, **place))
        return None
    distribution = next((dist for known, dist in well_known.items() if known.casefold() == folded), None)
    broken = [b for b in registry.broken if b.provenance.distribution == distribution or folded in b.names]
    off = [plugin for plugin in registry.disabled if distribution and plugin in distribution]
    if broken:
        cause = f"{broken[0].provenance} is broken ({broken[0].cause})"
        message = f"{kind} {name!r} cannot be used: {cause}. Install it again; adapt plugins shows more."
    elif off:
        message = f"{kind} {name!r} is in the plugin {off[0]}, which is switched off. Leave out -p no:{off[0]}."
    elif distribution is not None and distribution not in {p.distribution for p in registry.provenance.values()}:
        message = f"{kind} {name!r} is in {distribution}: pip install {distribution}"
    elif distribution is not None:
        message = f"{kind} {name!r} is not in the installed version of {distribution}. Update it."
    else:
        candidates = {n.casefold(): n for n in [*shelf.names(), *well_known]}
        plain = folded.replace("-", "_").replace(" ", "_")
        near = get_close_matches(folded, candidates, n=1)
        known = ", ".join(sorted(shelf.names()))
        message = f"no {kind} {name!r} is registered (there are: {known})."
        here = (OTHER_TASKS if kind == "task" else OTHER_METHODS if kind == "method" else {}).get(plain)
        hint = f"Here it is {here}." if here else f"Did you mean {candidates[near[0]]}?" if near else None
        if registry.broken:
            hint = f"{hint or ''} Broken plugins: {', '.join(str(b.provenance) for b in registry.broken)}.".strip()
    selection.problems.append(Problem(message, hint=hint, **place))
    return None
