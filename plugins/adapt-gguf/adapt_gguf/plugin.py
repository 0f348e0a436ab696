"""The hooks of adapt-gguf. Imports nothing heavy: gguf loads when an export is made."""

from __future__ import annotations

from importlib.util import find_spec

from adapt_core.plugin.specs import OptionalDependency, hookimpl

adapt_hook_api = 4


@hookimpl
def adapt_optional_dependencies() -> list[OptionalDependency]:
    """Return llama-cpp-python, which reads an export again as llama.cpp does."""
    return [
        OptionalDependency(
            name="llama-cpp-python",
            purpose="GGUF exports read again by llama.cpp itself",
            present=find_spec("llama_cpp") is not None,
            add="pip install llama-cpp-python",
        )
    ]
