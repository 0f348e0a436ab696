"""Modelfiles of Ollama: chat templates recognised by what they write."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("jinja2")

from .conftest import tokenizer_of
from adapt_gguf.modelfile import FORMS, modelfile, recognise

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else "
    "message['role'] %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
LLAMA3 = (
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ "
    "message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
    "{% endif %}{{ content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)
OTHER = "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}{% endfor %}"


def with_template(template: str | None) -> Any:
    tokenizer = tokenizer_of()
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize(("template", "name"), [(CHATML, "ChatML"), (GEMMA, "Gemma"), (LLAMA3, "Llama 3")])
def test_templates_of_known_forms_are_recognised(template: str, name: str) -> None:
    found = recognise(with_template(template))
    assert found is not None
    assert found.name == name


def test_chatml_with_the_text_that_it_begins_with() -> None:
    assert modelfile(with_template(CHATML), "./model.gguf") == (
        "FROM ./model.gguf\n"
        "# ChatML, which is what the model's chat template writes.\n"
        'TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}'
        '<|im_start|>assistant\n"""\n'
        'SYSTEM """You help."""\n'
        'PARAMETER stop "<|im_end|>"\n'
        'PARAMETER stop "<|endoftext|>"\n'
    )


def test_a_template_whose_messages_begin_with_the_token_that_begins_texts() -> None:
    tokenizer = with_template(CHATML)
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>"})
    found = recognise(tokenizer)
    assert found is not None
    assert (found.name, found.system) == ("ChatML", "You help.")


def test_roles_of_other_names_are_named_in_go() -> None:
    assert '{{ if eq .Role "assistant" }}model{{ else }}{{ .Role }}{{ end }}' in FORMS["Gemma"].go


def test_a_model_of_plain_text_goes_on_with_it_whatever_template_its_base_has() -> None:
    assert modelfile(with_template(CHATML), "./model.gguf", answers_turns=False) == (
        "FROM ./model.gguf\n"
        "# The model was trained on plain text: it goes on with the text that it is given.\n"
        'TEMPLATE "{{ .Prompt }}"\n'
        'PARAMETER stop "<|endoftext|>"\n'
    )


def test_another_template_is_left_to_ollama_with_a_word() -> None:
    written = modelfile(with_template(OTHER), "./model.gguf", "./adapter.gguf")
    assert "TEMPLATE is left out" in written
    assert '\nTEMPLATE "' not in written
    assert "ADAPTER ./adapter.gguf" in written


def test_a_model_without_a_template_goes_on_with_its_prompt() -> None:
    assert 'TEMPLATE "{{ .Prompt }}"' in modelfile(with_template(None), "./model.gguf")


def test_a_template_that_raises_is_left_to_ollama() -> None:
    assert "TEMPLATE is left out" in modelfile(with_template("{{ raise_exception('no') }}"), "./model.gguf")
