"""Mutated configs in bulk: each is refused by key, or starts with exactly the values that were written.

ADAPT_FUZZ_EXAMPLES=10000 pytest tests/config/test_fuzzing.py runs the long form; the default is short.
"""

from __future__ import annotations

import math
import os
import typing
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapt_core.config.core_params.groups import GROUPS, changed_by
from adapt_core.config.plan import Plan
from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.reader import read_overrides, read_text
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.plugin.params import Parameter, parameters_of, union_members
from adapt_core.plugin.registry import Registry

from .. import fakes

EXAMPLES = int(os.environ.get("ADAPT_FUZZ_EXAMPLES", "100"))
EVERY = 1 if EXAMPLES > 100 else 3
"""The short form leaves out every third line of a legacy config, the long form each of them in turn."""
FUZZING = settings(max_examples=EXAMPLES, deadline=5000, suppress_health_check=list(HealthCheck), derandomize=True)
SWITCHES = {"full": {}, "last_layer": {}, "4 bit": {"load_in_4bit": "true"}, "8 bit": {"load_in_8bit": "true"}}
# Keys that choose what runs, or stand in for others: another value of theirs asks for another plan.
CHOOSING = {"task", "method", "launcher", "subtask", "resume_from_checkpoint", "output_dir"}

WORDS = """
true false yes No 'True' "no" null ~ None '' 0 1 -1 2 4 16 1.0 0.5 1e-4 1e400 .inf -.inf .nan 0x10 0o17 1_000
epoch steps adamw_torch SGD linear cosine best full LoRA ner [] [1,2] [a,b] {} {a:1} 2024-11-24 12:30
1e-4x --- '1e-4' 99999999999999999999 ../../etc/passwd $(id) ёж 🙂
"""
scalars = st.one_of(
    st.sampled_from(WORDS.split()),
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False).map(repr),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12).map(lambda text: repr(text)),
)


@pytest.fixture(scope="module", params=["every plugin that tests define", "what is installed"])
def registry(request: pytest.FixtureRequest) -> Registry:
    """The stand-ins of core's tests, and the real plugins that are here."""
    if request.param != "what is installed":
        return fakes.registry_with_all()
    installed = Registry.discover()
    if not list(installed.tasks):
        pytest.skip("needs a plugin with tasks, and none is installed here")
    return installed


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """How many configs were tried, refused and accepted; printed at the end (pytest -s)."""
    counted: Counter[str] = Counter()
    yield counted
    print(f"\n{request.node.name}: {dict(counted)}")


def outcome(text: str, registry: Registry, counts: Counter[str], *sets: str) -> Plan | ConfigError:
    """A plan, or the refusal; anything else that is raised fails the test. `sets` are what `--set` takes."""
    counts["tried"] += 1
    try:
        plan = resolve(RunConfig(tuple(read_text(text, "c.yaml")), tuple(read_overrides(sets)), "c"), registry)
    except ConfigError as refusal:
        counts["refused"] += 1
        return refusal
    counts["accepted"] += 1
    return plan


def parameters(plan: Plan, registry: Registry) -> dict[str, tuple[Parameter, Any]]:
    """Every parameter of a plan with its value, by folded key."""
    of_loop = {parameter.folded: parameter for parameter in changed_by(registry.task_spec(plan.task.name))}
    holders = [getattr(plan, name) for name in GROUPS]
    holders += [choice.params for choice in (plan.task, plan.method, plan.quantizer, plan.launcher) if choice]
    return {
        key: (of_loop.get(key, parameter), getattr(holder, parameter.attribute))
        for holder in holders
        for key, parameter in parameters_of(type(holder)).items()
    }


def meant(text: str, parameter: Parameter) -> list[Any]:
    """What a value's YAML text may mean for a parameter, read by ruamel alone; empty where it means nothing."""
    from ruamel.yaml import YAML

    value = YAML(typ="safe", pure=True).load(f"key: {text}")["key"]
    readings: list[Any] = []
    for kind in union_members(parameter.type):
        name = typing.get_origin(kind) or kind
        number = value
        if isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                number = None
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
        if name is bool and str(value).strip().casefold() in ("true", "false", "yes", "no"):
            readings.append(str(value).strip().casefold() in ("true", "yes"))
        elif name is int and is_number and number == math.floor(number):
            readings.append(int(number))
        elif name is float and is_number:
            readings.append(float(number))
        elif name is str:
            readings += [value, str(value), *(c for c in parameter.declaration.choices or () if _folds(c, value))]
    return readings


def _folds(choice: Any, value: Any) -> bool:
    return str(choice).casefold() == str(value).strip().casefold()


def start(registry: Registry, task: str, switch: str) -> dict[str, str]:
    """A config of one task that resolves."""
    keys = {"TASK": task, "MODEL_PATH": "./m", "CUSTOM_DATASET_PATH": "./d", **SWITCHES[switch]}
    if "bit" in switch and "lora" in registry.methods.by_name:
        keys["method"] = "LoRA"
    elif "bit" not in switch:
        keys["method"] = switch
    return keys


def written(keys: Mapping[str, str]) -> str:
    return "".join(f"{key}: {value}\n" for key, value in keys.items())


@FUZZING
@given(data=st.data())
def test_a_changed_value_is_taken_as_written_or_refused_by_its_key(
    registry: Registry, counts: Counter[str], data: st.DataObject
) -> None:
    task = data.draw(st.sampled_from(sorted(item.spec.name for item in registry.tasks)), "task")
    keys = start(registry, task, data.draw(st.sampled_from(sorted(SWITCHES)), "switch"))
    base = outcome(written(keys), registry, Counter())
    if isinstance(base, ConfigError):
        return  # the quantizer's distribution is not here
    free = {key: found for key, found in parameters(base, registry).items() if key not in CHOOSING}
    key = data.draw(st.sampled_from(sorted(free)), "key")
    value = data.draw(scalars, "value")
    parameter, default = free[key]
    plan = outcome(written({**keys, parameter.key: value}), registry, counts)
    if isinstance(plan, ConfigError):
        named = [str(problem) for problem in plan.problems]
        assert any(
            parameter.key.casefold() in problem.casefold() or "not valid YAML" in problem or "plain data" in problem
            for problem in named
        ), named
        return
    if key not in parameters(plan, registry):
        return  # the value was a switch that chose something else
    now = parameters(plan, registry)[key][1]
    if isinstance(now, (tuple, dict)) or now == default:
        return
    assert now in meant(value, parameter), (parameter.key, value, now)


@FUZZING
@given(data=st.data())
def test_a_mistyped_key_is_refused_with_its_line(registry: Registry, counts: Counter[str], data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(sorted(item.spec.name for item in registry.tasks)), "task")
    keys = start(registry, task, "full")
    known = {name for group in GROUPS.values() for name in (p.key for p in parameters_of(group).values())}
    key = data.draw(st.sampled_from(sorted(known)), "key")
    place = data.draw(st.integers(0, len(key) - 1), "place")
    mistyped = key[:place] + data.draw(st.sampled_from("qzxj_"), "letter") + key[place + 1 :]
    plan = outcome(written({**keys, mistyped: "1"}), registry, counts)
    if isinstance(plan, ConfigError):
        assert any(mistyped in str(problem) and f"c.yaml:{len(keys) + 1}" in str(problem) for problem in plan.problems)
    else:
        assert mistyped.casefold() == key.casefold() or any(mistyped in remark for remark in plan.remarks)


@FUZZING
@given(data=st.data())
def test_a_damaged_file_never_ends_in_a_traceback(
    registry: Registry, counts: Counter[str], data: st.DataObject
) -> None:
    keys = {
        **start(registry, next(iter(registry.tasks)).spec.name, "full"),
        "LR": "1e-4",
        "TRAINING_ARGS": "{EPOCHS: 2}",
    }
    text = written(keys)
    for _ in range(data.draw(st.integers(1, 4), "damages")):
        at = data.draw(st.integers(0, len(text)), "at")
        kind = data.draw(st.sampled_from(["insert", "cut", "repeat"]), "kind")
        if kind == "insert":
            text = text[:at] + data.draw(st.text(max_size=6), "inserted") + text[at:]
        elif kind == "cut":
            text = text[:at] + text[at + data.draw(st.integers(1, 8), "length") :]
        else:
            text = text[:at] + text[max(0, at - 12) : at] + text[at:]
    plan = outcome(text, registry, counts)
    if isinstance(plan, Plan):
        assert attrs.evolve(plan) == plan
        assert plan_from_json(plan_to_json(plan), registry) == plan
    else:
        assert plan.problems
        assert all(str(problem).strip() for problem in plan.problems)


def test_every_legacy_config_with_one_line_lost_is_read_or_refused(
    registry: Registry, counts: Counter[str], shared: Path
) -> None:
    for file in sorted((shared / "legacy_configs").iterdir()):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        for number in range(0, len(lines), EVERY):
            text = "".join(lines[:number] + lines[number + 1 :])
            outcome(text, registry, counts, "DATASET=", "CUSTOM_DATASET_PATH=./d", "MODEL_PATH=./m")
