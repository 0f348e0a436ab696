"""The lines that use a model as GGUF: by transformers, llama.cpp and Ollama."""

from __future__ import annotations

from typing import Any

from adapt_core.contracts import ExportSource

from adapt_gguf.companions import config_of, tokenizer_of
from adapt_gguf.positions import scaling_of
from adapt_gguf.vocabulary import puts_space_before

_WRITTEN = 64
_USUAL = 256
"""What transformers takes for `query_pre_attn_scalar` of Gemma."""


def usage_of(source: ExportSource, model: str, modelfile: str, folder: str) -> str:
    """Return Markdown: the packages, and lines that give what `adapt predict` gives.

    Args:
        source: what was exported; texts are continued by its run's `max_new_tokens`, `temperature` and `top_p`.
        model, modelfile: the names of these files.
        folder: of the export, relative to the reader.
    """
    place = "" if folder == "." else f"{folder}/"
    return f"""`{model}` is the whole model, for what reads GGUF. By transformers:

```sh
pip install transformers accelerate torch gguf
```

```python
{_loaded(source, folder, model)}
tokenizer = AutoTokenizer.from_pretrained("{folder}", gguf_file="{model}")
{_prompt(source)}
written = model.generate(**inputs, {_decoding(source.plan.task.params)}, pad_token_id=tokenizer.eos_token_id)
print(tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
```

By llama.cpp, and by Ollama, with the chat template and the end of an answer in the Modelfile:

```sh
llama-cli -m {place}{model} -p "Once upon a time" -n 16
llama-server -m {place}{model}
ollama create adapted -f {place}{modelfile} && ollama run adapted
```
"""


def _loaded(source: ExportSource, folder: str, model: str) -> str:
    """Return the lines that load the model, with the settings that transformers does not read from GGUF."""
    config = config_of(source)
    settings: dict[str, Any] = {} if scaling_of(config) is None else {"rope_parameters": dict(config.rope_parameters)}
    if getattr(config, "query_pre_attn_scalar", _USUAL) != _USUAL:
        settings["query_pre_attn_scalar"] = config.query_pre_attn_scalar
    if not settings:
        return (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f'model = AutoModelForCausalLM.from_pretrained("{folder}", gguf_file="{model}").eval()'
        )
    return (
        "from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer\n\n"
        f'config = AutoConfig.from_pretrained("{folder}", gguf_file="{model}")\n'
        "# What transformers does not read from GGUF:\n"
        + "".join(f"config.{name} = {value!r}\n" for name, value in settings.items())
        + f'model = AutoModelForCausalLM.from_pretrained("{folder}", gguf_file="{model}", config=config).eval()'
    )


def _prompt(source: ExportSource) -> str:
    tokenizer = tokenizer_of(source)
    options = 'return_tensors="pt", return_token_type_ids=False'
    if not (source.answers_turns and tokenizer.chat_template):
        space = " " if puts_space_before(tokenizer) else ""
        return f'inputs = tokenizer("{space}Once upon a time", {options})'
    given = getattr(source.plan.task.params, "chat_template_kwargs", None) or {}
    variables = f"variables = {dict(given)!r}\n" if given else ""
    more = ", **variables" if given else ""
    return (
        f'{variables}messages = [{{"role": "user", "content": "Name three rivers."}}]\n'
        f"prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True{more})\n"
        f"inputs = tokenizer(prompt, add_special_tokens=False, {options})"
    )


def _decoding(params: Any) -> str:
    most = getattr(params, "max_new_tokens", None) or _WRITTEN
    temperature = getattr(params, "temperature", None)
    if not temperature:
        return f"max_new_tokens={most}, do_sample=False"
    return f"max_new_tokens={most}, do_sample=True, temperature={temperature}, top_p={params.top_p}, top_k=0"
