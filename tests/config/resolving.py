"""Configs from a few lines, resolved with the tests' own plugins."""

from __future__ import annotations

from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.config.reader import read_overrides, read_text
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.plugin.registry import Registry

from .. import fakes

MINIMAL = "TASK: words\nMODEL_PATH: ./m\nCUSTOM_DATASET_PATH: ./d\n"


def plan(text: str, registry: Registry | None = None, *sets: str, base: str = MINIMAL, **options: Any) -> Plan:
    config = RunConfig(tuple(read_text(base + text, "c.yaml")), tuple(read_overrides(sets)), "c")
    return resolve(config, registry or fakes.registry_with_all(), **options)


def problems(text: str, registry: Registry | None = None, *sets: str, base: str = MINIMAL, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        plan(text, registry, *sets, base=base, **options)
    return "\n".join(str(problem) for problem in caught.value.problems)
