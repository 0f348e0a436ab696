"""The hooks of adapt-gguf. Imports nothing heavy: gguf loads when an export is made."""

from __future__ import annotations

from importlib.util import find_spec

from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.specs import OptionalDependency, hookimpl

adapt_hook_api = 5


@hookimpl
def adapt_exporters() -> list[ExporterSpec]:
    """Return the specs of the exporters."""
    return [
        ExporterSpec(
            name="gguf",
            summary="the merged model as a GGUF file, with a Modelfile for Ollama",
            implementation="adapt_gguf.exporters:GgufExporter",
            params="adapt_gguf.params:GgufParams",
            tasks=("text_generation",),
        ),
        ExporterSpec(
            name="gguf_adapter",
            summary="a LoRA as a GGUF adapter, for llama.cpp and Ollama",
            implementation="adapt_gguf.exporters:GgufAdapterExporter",
            tasks=("text_generation",),
        ),
    ]


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
