"""Chat templates: the one for tokenizers without, dates, and the tokens that end answers."""

from __future__ import annotations

import json
import logging
import re
from datetime import date
from typing import TYPE_CHECKING

from adapt_nlp.text_generation.marked_text import added_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SIMPLE_TEMPLATE = (
    "{% if tools %}{{ '### Tools:\\n' + tools | tojson + '\\n\\n' }}{% endif %}"
    "{% for message in messages %}{{ '### ' + message['role'] | capitalize + ':\\n' }}"
    "{{ message['content'] or '' }}"
    "{% if message['tool_calls'] %}{{ message['tool_calls'] | tojson }}{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{{ '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\\n' }}{% endif %}"
)
"""The template for a tokenizer without one: a heading for each turn, and the end token after each answer."""

FIXED_DATE = date(2024, 7, 26)
"""What stands for today's date in a chat template: the date that Llama 3's templates give where they know none."""

_TODAY = re.compile(r"""strftime_now\(\s*(["'])(?P<format>.*?)\1\s*\)""")

log = logging.getLogger(__name__)


def prepare_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer without a chat template the simple one, and fix the date in one that asks for today's.

    The template is saved with the tokenizer, so that predictions and later runs render as this one does.
    """
    if not tokenizer.chat_template:
        log.warning(
            "the tokenizer has no chat template: a simple one is used, with a heading for each turn (### User:, "
            "### Assistant:). It is saved with the model."
        )
        # A chat template renders the beginning token itself, where the model's texts begin with one.
        before = "".join(tokenizer.convert_ids_to_tokens(added_tokens(tokenizer)[0]))
        tokenizer.chat_template = (f"{{{{ {json.dumps(before)} }}}}" if before else "") + SIMPLE_TEMPLATE
    _fix_date(tokenizer)


def _fix_date(tokenizer: PreTrainedTokenizerBase) -> None:
    given = tokenizer.chat_template

    def fixed(template: str) -> str:
        return _TODAY.sub(lambda call: json.dumps(FIXED_DATE.strftime(call["format"])), template)

    tokenizer.chat_template = (
        {name: fixed(template) for name, template in given.items()} if isinstance(given, dict) else fixed(given)
    )
    if tokenizer.chat_template != given:
        log.warning(
            "the chat template writes today's date; %s stands for it in this run and in its model, so that both are "
            "the same on another day.",
            FIXED_DATE,
        )
    if "strftime_now(" in template_source(tokenizer):
        log.warning("the chat template writes today's date, so what is learned differs from day to day.")


def template_source(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the text of a tokenizer's chat template; of several, all in one; "" where it has none."""
    given = tokenizer.chat_template or ""
    return "\n".join(given.values()) if isinstance(given, dict) else given


def end_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """Return the tokens that may end an answer: special ones, and others of the vocabulary that the template names."""
    template = template_source(tokenizer)
    named = [token.content for token in tokenizer.added_tokens_decoder.values() if token.content in template]
    return tuple(dict.fromkeys([*tokenizer.all_special_tokens, *named]))


def template_errors() -> tuple[type[Exception], ...]:
    """Return what rendering raises. Besides a template's own errors, a turn of another form causes others in it."""
    from jinja2 import TemplateError

    return TemplateError, TypeError, ValueError, LookupError, AttributeError
