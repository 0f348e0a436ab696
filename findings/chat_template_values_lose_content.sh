#!/usr/bin/env bash
# chat_template_values_lose_content: dates, sets, functions and tensors given to a chat template become "<type>"
# packages: transformers==5.24.0 torch==2.15.0
# guess: Keyword arguments of apply_chat_template reach Jinja as they are: a date prints as 2026-01-02, a function can
#   be called, and strftime_now can be replaced to fix the date of a run.
# seen: What JSON cannot hold is replaced by the name of its type in angle brackets before rendering: "<date>",
#   "<set>", "<function>", "<Tensor>". Attributes of it print as nothing, the length of a set is that of the text, and
#   a strftime_now of one's own ends in a TypeError, because the template calls a string.
# matters: "Today is <date>." goes into every prompt that is trained on. Pass strings, numbers, lists and dicts; a
#   template that calls strftime_now cannot be made reproducible by an argument.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import datetime
from types import SimpleNamespace

import torch
from seen import seen
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")))
MESSAGES = [{"role": "user", "content": "hello"}]


def render(template, **values):
    tokenizer.chat_template = template
    return tokenizer.apply_chat_template(MESSAGES, tokenize=False, **values)


def shout(text):
    return text.upper()


day = datetime.date(2026, 1, 2)
seen("text", render("Today is {{ day }}.", day="2026-01-02"), "Today is 2026-01-02.")
seen("date", render("Today is {{ day }}.", day=day), "Today is <date>.")
seen("year of a date", render("In {{ day.year }}.", day=day), "In .")
seen("object", render("{{ user.name }}", user=SimpleNamespace(name="Ada")), "")
seen("tensor", render("{{ score }}", score=torch.tensor(1.0)), "<Tensor>")
seen("length of a set of two", render("{{ labels | length }}", labels={3, 4}), "5")
seen("function", render("{{ shout }}", shout=shout), "<function>")
seen("strftime_now of the library gives a year", render("{{ strftime_now('%Y') }}").isdigit())
try:
    render("{{ strftime_now('%Y') }}", strftime_now=lambda _: "1999")
except TypeError as error:
    seen("own strftime_now", str(error), "'str' object is not callable")
else:
    seen("own strftime_now", "called", "'str' object is not callable")
PY
