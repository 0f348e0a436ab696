"""The exporters: a model as GGUF, and an adapter alone as a GGUF adapter."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import InputError
from adapt_core.hf import locate
from adapt_core.plugin.params import NoParams
from adapt_core.plugin.versions import installed_version
from adapt_core.run_folder.files import write_text

from adapt_gguf.base import check_base, gguf_base
from adapt_gguf.companions import config_of, tokenizer_of
from adapt_gguf.files import coarsest_encoding
from adapt_gguf.params import GgufParams

log = logging.getLogger(__name__)

MODEL = "model.gguf"
ADAPTER = "adapter.gguf"
MODELFILE = "Modelfile"
_READING = Path(__file__).parent / "reading"
_RELATIVE = {"F32": 1e-5, "F16": 5e-3, "BF16": 5e-2, "Q8_0": 5e-2}
"""How far logits may be from the trained model's, as a share of the largest, by the trained tensors' encoding.

What has fewer bits is told and nothing is promised of it.
"""
_KEPT = 0.5


class GgufExporter:
    """The merged model as `model.gguf`, with a Modelfile for Ollama.

    Args:
        params: the encoding.
    """

    def __init__(self, params: GgufParams) -> None:
        self._params = params

    def check(self, plan: Plan) -> None:
        """Check that the base has an architecture that can be written.

        Raises:
            InputError: it has none.
        """
        check_base(plan)

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the model and its Modelfile.

        Raises:
            InputError: GGUF has no place for this model or tokenizer.
        """
        from adapt_gguf.modelfile import modelfile
        from adapt_gguf.models import write_like, write_model

        given = self._params.gguf_type
        kind = None if given == "auto" else given
        base = gguf_base(source.plan)
        tokenizer = tokenizer_of(source)
        if base is None:
            if kind == "base":
                raise InputError("gguf_type: base is for a MODEL_PATH that is a GGUF file. Set it to auto, Q8_0, ...")
            written = write_model(source.model(), tokenizer, folder / MODEL, kind, self._params.gguf_pre)
        else:
            added = getattr(source.plan.task.params, "add_tokens", ())
            written = write_like(source.model(), tokenizer, folder / MODEL, base, kind, added)
            _tell(written.copied, written.replaced, written.kept)
        write_text(folder / MODELFILE, modelfile(tokenizer, f"./{MODEL}", answers_turns=source.answers_turns))

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return that the file is read by transformers, and by llama.cpp where it is installed."""
        relative = _RELATIVE.get(coarsest_encoding(folder / MODEL, gguf_base(source.plan)))
        return _checks((MODEL,), relative, MODEL)

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return lines for transformers, llama.cpp and Ollama."""
        from adapt_gguf.usage import usage_of

        return usage_of(source, MODEL, MODELFILE, folder)


class GgufAdapterExporter:
    """The run's LoRA as `adapter.gguf`, which llama.cpp and Ollama add to the base model.

    Args:
        params: none.
    """

    def __init__(self, params: NoParams) -> None:
        self._params = params

    def check(self, plan: Plan) -> None:
        """Check that the method trains a LoRA and nothing else, and that the base has an architecture to be written.

        Raises:
            InputError: it does not, or has none.
        """
        if plan.method.name != "LoRA":
            raise InputError(
                f"gguf_adapter: the method {plan.method.name} makes no LoRA. Export gguf, the merged model, instead."
            )
        if getattr(plan.task.params, "add_tokens", ()):
            raise InputError(
                "gguf_adapter: it has no place for the tokens of ADD_TOKENS, which its base lacks. Export gguf, the "
                "merged model, instead."
            )
        check_base(plan)

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the adapter and a Modelfile that adds it to the base.

        Raises:
            InputError: the adapter is no plain LoRA.
        """
        from adapt_gguf.adapters import write_adapter
        from adapt_gguf.modelfile import modelfile

        if source.adapter is None:
            raise InputError("gguf_adapter: the run has no adapter/. Export gguf instead.")
        count = write_adapter(source.adapter, config_of(source), folder / ADAPTER)
        log.info("%s adapts %d matrices", ADAPTER, count)
        base = gguf_base(source.plan)
        given = "./base.gguf" if base is None else str(base)
        write_text(
            folder / MODELFILE,
            modelfile(tokenizer_of(source), given, f"./{ADAPTER}", answers_turns=source.answers_turns),
        )

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return that base and adapter are read by transformers, and by llama.cpp where it can read the base."""
        base = gguf_base(source.plan)
        # A base that the run quantized is compared as it is published, so that the figures are told, and not more.
        relative = None if source.plan.quantizer is not None else _RELATIVE["F16"]
        model = locate(source.plan).name if base is None else str(base)
        return _checks((model, ADAPTER), relative, ADAPTER)

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return lines for llama.cpp and Ollama."""
        place = "" if folder == "." else f"{folder}/"
        base = gguf_base(source.plan)
        named = "base.gguf" if base is None else base.name
        return f"""`{ADAPTER}` is the adapter alone. It is added to the base model (`{named}`, as GGUF) when that is
loaded:

```sh
llama-cli -m {named} --lora {place}{ADAPTER} -p "Once upon a time" -n 16
llama-server -m {named} --lora {place}{ADAPTER}
ollama create adapted -f {place}{MODELFILE} && ollama run adapted
```
"""


def _checks(files: tuple[str, ...], relative: float | None, file: str) -> list[RuntimeCheck]:
    promised = None if relative is None else 1e-4
    within = 0.0 if relative is None else relative
    own = (installed_version("transformers"), installed_version("gguf"))
    found = [
        RuntimeCheck(
            name=file,
            runtime=f"transformers {own[0]} with gguf {own[1]}",
            program=_READING / "by_transformers.py",
            arguments=files,
            without=("peft",),
            tolerance=promised,
            relative_tolerance=within,
            file=file,
        )
    ]
    if find_spec("llama_cpp") is not None and files[0].endswith(".gguf"):
        # llama.cpp rounds what flows between layers too (to 8 bits beside quantized weights), which is its own.
        found.append(
            RuntimeCheck(
                name=file,
                runtime=f"llama-cpp-python {installed_version('llama-cpp-python')}",
                program=_READING / "by_llama_cpp.py",
                arguments=files,
                without=("torch", "transformers", "peft"),
                tolerance=None,
                file=file,
            )
        )
    return found


def _tell(copied: frozenset[str], replaced: Mapping[str, str], kept: float | None) -> None:
    log.info("%d tensors were not trained, and are the base's byte for byte", len(copied))
    for own, chosen in replaced.items():
        log.info("trained tensors that are %s in the base are %s, in which training is not rounded away", own, chosen)
    if kept is not None and kept < _KEPT:
        log.warning(
            "gguf_type: only %.0f %% of what was trained is left after rounding. Leave gguf_type at auto, or set Q8_0.",
            100 * kept,
        )
