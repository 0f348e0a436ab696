"""The contract of a distribution's registration."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import attrs
import pytest

from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registered, Registry

HEAVY = ("torch", "transformers", "peft", "datasets", "accelerate", "timm", "mmengine", "mmdet", "bitsandbytes")


class PluginContract:
    """Derive a test class and name the installed distribution.

    Attributes:
        distribution: as pip knows it.
    """

    distribution = ""

    @pytest.fixture(scope="class")
    @classmethod
    def registered(cls) -> list[Registered[Any]]:
        """Return everything that the distribution registers here."""
        return [item for item in Registry.discover() if item.provenance.distribution == cls.distribution]

    def test_it_is_seen_and_whole(self, registered: list[Registered[Any]]) -> None:
        assert registered, f"{self.distribution} registers nothing: is it installed, with an entry point in `adapt`?"
        broken = [item for item in Registry.discover().broken if item.provenance.distribution == self.distribution]
        assert not broken, broken

    def test_seeing_it_imports_nothing_heavy(self, registered: list[Registered[Any]]) -> None:
        code = (
            "import json, sys; from adapt_core.plugin.registry import Registry; Registry.discover(); "
            f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert json.loads(found.stdout.splitlines()[-1]) == []

    def test_each_implementation_can_be_imported(self, registered: list[Registered[Any]]) -> None:
        for item in registered:
            assert callable(item.spec.load()), item.spec.name

    def test_each_parameter_has_help_and_a_default_that_fits(self, registered: list[Registered[Any]]) -> None:
        for item in registered:
            for parameter in parameters_of(item.params_class()).values():
                assert parameter.declaration.help, f"{item.spec.name}: {parameter.key} has no help"
            if all(field.default is not attrs.NOTHING for field in attrs.fields(item.params_class())):
                item.params_class()()
