"""EXPORT: names, tasks, packages, and the keys of exporters."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.params import param
from adapt_core.plugin.registry import Registry

from .. import fakes
from .resolving import plan, problems


@attrs.frozen
class PressParams:
    """Parameters of an exporter of the tests'."""

    bits: int = param(8, "Bits.", key="PRESS_BITS", ge=1)


def exporter(name: str, **changes: Any) -> ExporterSpec:
    return ExporterSpec(name=name, summary=f"a form {name}", implementation="x:y", **changes)


@pytest.fixture
def registry() -> Registry:
    """A task of words, and exporters beside core's."""
    return fakes.registry(
        adapt_tasks=[fakes.task("words")],
        adapt_exporters=[
            exporter("press", params=PressParams, aliases=("pressed",)),
            exporter("film", tasks=("films",)),
            exporter("cut", requires=("a-distribution-that-is-nowhere",)),
        ],
    )


def test_exporters_go_into_the_plan_and_to_worker_processes(registry: Registry) -> None:
    found = plan("EXPORT: [Pressed, safetensors, press]\n", registry)
    assert [one.name for one in found.exporters] == ["press", "safetensors"]
    assert plan_from_json(plan_to_json(found), registry).exporters == found.exporters
    assert plan("", registry).exporters == ()


def test_an_exporter_s_own_keys_are_read_where_it_is_chosen_and_nowhere_else(registry: Registry) -> None:
    found = plan("EXPORT: press\nPRESS_BITS: 4\n", registry)
    assert found.exporters[0].params == PressParams(bits=4)
    assert {"EXPORT": ["press"], "PRESS_BITS": 4}.items() <= found.keys().items()
    assert "PRESS_BITS (read by press of adapt-tests)" in " ".join(plan("PRESS_BITS: 4\n", registry).remarks)
    assert "PRESS_BITS (press): must be" in problems("EXPORT: press\nPRESS_BITS: 0\n", registry)


def test_exports_may_change_on_resume(registry: Registry) -> None:
    assert plan("EXPORT: press\n", registry).arithmetic() == plan("", registry).arithmetic()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("pres", "c.yaml:4: EXPORT: no exporter 'pres' is registered"),
        ("pres", "Did you mean press?"),
        ("film", "EXPORT: film takes models of films, and this is words."),
        ("film", "There are: cut, full_torch_model, press, safetensors, save_pretrained, state_dict."),
        ("cut", "EXPORT: cut of adapt-tests needs a-distribution-that-is-nowhere."),
        ("{a: 1}", "EXPORT (core): must be a list of str"),
    ],
)
def test_an_exporter_that_cannot_be_used_is_told_with_what_could(registry: Registry, value: str, told: str) -> None:
    assert told in problems(f"EXPORT: {value}\n", registry)
