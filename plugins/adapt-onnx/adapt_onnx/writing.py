"""The lines that write texts with an export: language models and encoder-decoders, a word a step."""

from __future__ import annotations

from typing import Any

from adapt_core.contracts import ExportSource

from adapt_onnx.companions import Facts

LIMIT = 512
"""Tokens of an input where neither the run nor the model names a limit."""

_WRITTEN = 64
_PLAIN_DECODING: dict[str, Any] = {
    "num_beams": 1,
    "do_sample": False,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "min_length": 0,
    "min_new_tokens": 0,
    "bad_words_ids": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "forced_eos_token_id": None,
    "sequence_bias": None,
}
"""Settings of transformers' `generate` that choose words, with the values at which they do nothing."""


def how_it_writes(facts: Facts, params: Any) -> str:
    """Return a sentence on how the lines choose words, and on what of the generation config they leave out."""
    temperature = getattr(params, "temperature", None)
    how = (
        "The lines draw each word, as predictions of the run do" if temperature else "The lines take the likeliest word"
    )
    known = {name: value for name in _PLAIN_DECODING if (value := facts.generation.get(name)) is not None}
    more = {name: value for name, value in known.items() if value != _PLAIN_DECODING[name]}
    if hasattr(params, "temperature"):
        more.pop("do_sample", None)  # the run's own key decides it
    named = ", ".join(f"`{name}={value!r}`" for name, value in more.items())
    return f"{how}{f'; `generate` of transformers also follows {named}' if more else ''}.\n\n"


def head(folder: str, *imports: str) -> list[str]:
    """Return the imports of an example, and the folder of the export."""
    return [
        "import json",
        "from pathlib import Path",
        "",
        "import numpy",
        "import onnxruntime",
        *imports,
        "",
        f"folder = Path({folder!r})",
    ]


_CACHE = (
    'cache = json.loads((folder / "cache.json").read_text(encoding="utf-8"))',
    'nothing = numpy.zeros((1, cache["heads"], 0, cache["width"]), numpy.float32)',
    'kinds = [f"{layer}.{kind}" for layer in range(cache["layers"]) for kind in ("key", "value")]',
    'past = {f"past_key_values.{kind}": nothing for kind in kinds}',
)


def _next_word(facts: Facts, params: Any) -> list[str]:
    """Return the end of the loop that writes: a word by the run's decoding, unless it ends the text."""
    temperature = getattr(params, "temperature", None)
    likeliest = ['    word = int(found["logits"][0, -1].argmax())']
    drawn = [
        f'    scores = found["logits"][0, -1].astype(float) / {temperature}',
        "    order = scores.argsort()[::-1]",
        "    chances = numpy.exp(scores[order] - scores.max()) / numpy.exp(scores - scores.max()).sum()",
        f"    chances[chances.cumsum() - chances > {getattr(params, 'top_p', 1.0)}] = 0  # top_p",
        "    word = int(random.choice(order, p=chances / chances.sum()))",
    ]
    return [
        '    past = {f"past_key_values.{kind}": found[f"present.{kind}"] for kind in kinds}',
        *(drawn if temperature else likeliest),
        f"    if word in {facts.ends!r}:",
        "        break",
        "    written.append(word)",
    ]


def generation_lines(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    """Return lines that go on with a prompt, a turn where the model was trained on conversations."""
    params = source.plan.task.params
    special = "" if facts.prompt_has_specials else ", add_special_tokens=False"
    cut = f"[:-{facts.behind}]" if facts.behind and facts.prompt_has_specials else ""
    return [
        *head(folder, "from tokenizers import Tokenizer"),
        'session = onnxruntime.InferenceSession(folder / "model.onnx")',
        'tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))',
        *_CACHE,
        "outputs = [one.name for one in session.get_outputs()]",
        "taken = {one.name for one in session.get_inputs()}",
        "",
        *(["random = numpy.random.default_rng(0)"] if getattr(params, "temperature", None) else []),
        f"prompt = {facts.prompt!r}",
        f"words = numpy.array([tokenizer.encode(prompt{special}).ids{cut}])",
        "written, length = [], 0",
        f"while len(written) < {getattr(params, 'max_new_tokens', None) or _WRITTEN}:",
        "    before, length = length, length + words.shape[1]",
        "    given = {",
        '        "input_ids": words,',
        '        "attention_mask": numpy.ones((1, length), numpy.int64),',
        '        "position_ids": numpy.arange(before, length)[None],',
        "    }",
        "    given = {name: value for name, value in given.items() if name in taken}",
        "    found = dict(zip(outputs, session.run(outputs, {**given, **past})))",
        *_next_word(facts, params),
        "    words = numpy.array([[word]])",
        "print(tokenizer.decode(written))",
    ]


def seq2seq_lines(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    """Return lines that write the target of a text."""
    params = source.plan.task.params
    text = f"{getattr(params, 'prefix', None) or ''}A text."
    start = facts.config.get("decoder_start_token_id") or facts.generation.get("decoder_start_token_id") or 0
    forced = facts.generation.get("forced_bos_token_id") or facts.config.get("forced_bos_token_id")
    begin = [start] if forced is None else [start, forced]
    most = getattr(params, "generation_max_length", None) or _WRITTEN
    return [
        *head(folder, "from tokenizers import Tokenizer"),
        'encoder = onnxruntime.InferenceSession(folder / "encoder.onnx")',
        'decoder = onnxruntime.InferenceSession(folder / "decoder.onnx")',
        'tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))',
        f"tokenizer.enable_truncation({getattr(params, 'max_input_length', None) or LIMIT})",
        *_CACHE,
        "outputs = [one.name for one in decoder.get_outputs()]",
        "taken = {one.name for one in decoder.get_inputs()}",
        "",
        f"words = numpy.array([tokenizer.encode({text!r}).ids])",
        "mask = numpy.ones_like(words)",
        "names = [one.name for one in encoder.get_outputs()]",
        'encoded = dict(zip(names, encoder.run(names, {"input_ids": words, "attention_mask": mask})))',
        'fixed = {name: value for name, value in {**encoded, "attention_mask": mask}.items() if name in taken}',
        f"written, next_words = [], {begin!r}",
        f"while len(written) < {most}:",
        '    given = {**fixed, **past, "decoder_input_ids": numpy.array([next_words])}',
        "    found = dict(zip(outputs, decoder.run(outputs, given)))",
        *_next_word(facts, params),
        "    next_words = [word]",
        "print(tokenizer.decode(written))",
    ]
