"""An Ollama Modelfile: the model, how it is talked to, and where an answer ends.

Ollama's templates are Go's, not Jinja. A chat template is recognised by what it makes of a conversation, and stated in
Go where it is a known form; else Ollama is left with the Jinja template of the GGUF file, that it may know.
Reference: https://github.com/ollama/ollama/blob/main/docs/modelfile.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@attrs.frozen
class Form:
    """A form of conversations.

    Attributes:
        turn: a message, with {role} and {content}.
        prompt: what an answer begins after.
        stops: tokens that end an answer, beside those that begin another message.
        roles: names of roles where they differ.
    """

    turn: str
    prompt: str
    stops: tuple[str, ...]
    roles: Mapping[str, str] = attrs.field(factory=dict)

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return a conversation in this form."""
        turns = [
            self.turn.format(role=self.roles.get(one["role"], one["role"]), content=one["content"]) for one in messages
        ]
        return "".join(turns) + self.prompt

    @property
    def go(self) -> str:
        """The form as a template of Ollama's."""
        role = "{{ .Role }}"
        for given, named in self.roles.items():
            role = f'{{{{ if eq .Role "{given}" }}}}{named}{{{{ else }}}}{role}{{{{ end }}}}'
        turn = self.turn.format(role=role, content="{{ .Content }}")
        # No "{{-" before "end": it would take away the line's end that a turn has.
        return f"{{{{- range .Messages }}}}{turn}{{{{ end }}}}{self.prompt}"


FORMS: dict[str, Form] = {
    "ChatML": Form("<|im_start|>{role}\n{content}<|im_end|>\n", "<|im_start|>assistant\n", ("<|im_end|>",)),
    "Llama 3": Form(
        "<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ("<|eot_id|>",),
    ),
    "Gemma": Form(
        "<start_of_turn>{role}\n{content}<end_of_turn>\n",
        "<start_of_turn>model\n",
        ("<end_of_turn>",),
        {"assistant": "model"},
    ),
    "Zephyr": Form("<|{role}|>\n{content}</s>\n", "<|assistant|>\n", ("</s>",)),
}
"""Forms of conversations by their names."""

_PROBE = (
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
)
_QUOTES = '"""'


@attrs.frozen
class Recognised:
    """A tokenizer's chat template as a known form.

    Attributes:
        name: of the form.
        form: one of FORMS.
        system: the text that the template begins with when nobody gives one.
    """

    name: str
    form: Form
    system: str | None


def recognise(tokenizer: PreTrainedTokenizerBase) -> Recognised | None:
    """Return the form of a tokenizer's chat template; None where it has none, or one that is not known."""
    if not tokenizer.chat_template:
        return None
    try:
        written = str(tokenizer.apply_chat_template(list(_PROBE), tokenize=False, add_generation_prompt=True))
    except Exception:  # noqa: BLE001 - a template is a program of the model's author
        return None
    # Ollama puts the token before it where the model has one; in ChatML it may be the one that begins each message.
    return _form_of(written) or _form_of(written.removeprefix(tokenizer.bos_token or ""))


def _form_of(written: str) -> Recognised | None:
    for name, form in FORMS.items():
        plain = form.render(_PROBE)
        if not written.endswith(plain):
            continue
        before = written.removesuffix(plain)
        if not before:
            return Recognised(name, form, None)
        head, tail = form.turn.format(role="system", content="\0").split("\0")
        if before.startswith(head) and before.endswith(tail):
            return Recognised(name, form, before[len(head) : len(before) - len(tail)])
    return None


def modelfile(
    tokenizer: PreTrainedTokenizerBase, base: str, adapter: str | None = None, *, answers_turns: bool = True
) -> str:
    """Return a Modelfile.

    Args:
        tokenizer: with the chat template and the end token.
        base: the GGUF file of the model, or a name of Ollama's, as FROM takes it.
        adapter: the GGUF adapter.
        answers_turns: whether the model was trained on conversations; one that was trained on plain text goes on with
            the text that it is given, whatever template its base has.
    """
    lines = [f"FROM {base}"]
    if adapter is not None:
        lines.append(f"ADAPTER {adapter}")
    found = recognise(tokenizer) if answers_turns else None
    stops = [str(tokenizer.eos_token)] if tokenizer.eos_token else []
    if found is not None:
        lines += [
            f"# {found.name}, which is what the model's chat template writes.",
            _quoted("TEMPLATE", found.form.go),
        ]
        if found.system and _QUOTES not in found.system:
            lines.append(_quoted("SYSTEM", found.system))
        stops = [*found.form.stops, *stops]
    elif answers_turns and tokenizer.chat_template:
        lines.append("# TEMPLATE is left out: the chat template in the GGUF file is of no form known here.")
    else:
        lines += [
            "# The model was trained on plain text: it goes on with the text that it is given.",
            'TEMPLATE "{{ .Prompt }}"',
        ]
    lines += [f'PARAMETER stop "{stop}"' for stop in dict.fromkeys(stops) if '"' not in stop and "\n" not in stop]
    return "\n".join([*lines, ""])


def _quoted(key: str, value: str) -> str:
    return f"{key} {_QUOTES}{value}{_QUOTES}"
