"""The lines that use an export, with onnxruntime, numpy, and tokenizers or Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapt_core.contracts import ExportSource
from adapt_core.hf.decisions.names import LEAST, TEMPERATURE, THRESHOLDS

from adapt_onnx.companions import Facts, facts_of

_NO_TOKENIZER = "The tokenizer has no `tokenizer.json`: make inputs with transformers' own, as NumPy arrays.\n"
_UNLIMITED = 10**9
_LIMIT, _WRITTEN = 512, 64


def usage_of(source: ExportSource, folder: str, *, int8: bool) -> str:
    """Return Markdown: the packages, and the lines that use an export.

    Args:
        source: what was exported.
        folder: of the export, relative to the reader.
        int8: whether it has models in 8 bits too.
    """
    facts = facts_of(source)
    task = source.plan.task.name
    if task != "image_classification" and not facts.has_tokenizer:
        return _NO_TOKENIZER
    packages = "pillow" if task == "image_classification" else "tokenizers"
    lines = {
        "image_classification": _image,
        "text_generation": _generation,
        "summarization": _seq2seq,
        "translation": _seq2seq,
        "question_answering": _answers,
    }.get(task, _tags if _is_tagger(source) else _text)
    note = "The same lines run `model_int8.onnx` (or `encoder_int8.onnx` and `decoder_int8.onnx`).\n" if int8 else ""
    code = "\n".join(lines(source, facts, folder))
    return f"```sh\npip install onnxruntime numpy {packages}\n```\n\n```python\n{code}\n```\n{note}"


def _is_tagger(source: ExportSource) -> bool:
    """Return whether a text classifier gives each word a tag (subtask: ner, pos, chunk)."""
    subtask = getattr(source.plan.task.params, "subtask", None)
    return subtask in ("ner", "pos", "chunk")


def _head(folder: str, *imports: str) -> list[str]:
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


def _text_head(source: ExportSource, facts: Facts, folder: str, truncation: str = "") -> list[str]:
    return [
        *_head(folder, "from tokenizers import Tokenizer"),
        'session = onnxruntime.InferenceSession(folder / "model.onnx")',
        'tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))',
        f"tokenizer.enable_truncation({limit_of(source, facts)}{truncation})",
        f"tokenizer.enable_padding(pad_id={facts.pad_id}, pad_token={facts.pad_token!r})",
        "",
    ]


def limit_of(source: ExportSource, facts: Facts) -> int:
    """Return the longest input in tokens: of the run's config, the tokenizer, or the model's positions."""
    params = source.plan.task.params
    given = getattr(params, "max_seq_length", None) or getattr(params, "max_length", None)
    limits = [facts.tokenizer.get("model_max_length"), facts.config.get("max_position_embeddings")]
    known = [limit for limit in limits if isinstance(limit, int) and 0 < limit < _UNLIMITED]
    return given or min(known, default=_LIMIT)


_RUN = (
    'fields = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}',
    "taken = {one.name for one in session.get_inputs()}",
    "fields = {name: field for name, field in fields.items() if name in taken}",
    "inputs = {name: numpy.array([getattr(one, field) for one in encoded]) for name, field in fields.items()}",
)


def _text(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    return [
        *_text_head(source, facts, folder),
        'encoded = tokenizer.encode_batch(["A text to classify."])',
        *_RUN,
        '(logits,) = session.run(["logits"], inputs)',
        *_decided(facts.labels),
    ]


def _decided(labels: Mapping[str, Any]) -> list[str]:
    """Return lines that make labels or numbers of `logits`, as predictions of adapt do."""
    read = 'labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))'
    problem = labels.get("problem")
    if problem == "regression":
        return [read, 'values = dict(zip(labels["labels"], logits[0].tolist()))', "print(values)"]
    if problem == "multi_label":
        least = f'labels["{THRESHOLDS}"]' if THRESHOLDS in labels else '[0.5] * len(labels["labels"])'
        return [
            read,
            "scores = 1 / (1 + numpy.exp(-logits[0]))",
            f'found = [name for name, score, least in zip(labels["labels"], scores, {least}) if score >= least]',
            "print(found)",
        ]
    divided = f'logits[0] / labels["{TEMPERATURE}"]' if TEMPERATURE in labels else "logits[0]"
    least = f' if scores[best] >= labels["{LEAST}"] else None' if LEAST in labels else ""
    return [
        read,
        f"scores = {divided}",
        "scores = numpy.exp(scores - scores.max()) / numpy.exp(scores - scores.max()).sum()",
        "best = int(scores.argmax())",
        f'label = labels["labels"][best]{least}',
        "print(label, float(scores[best]))",
    ]


def _tags(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    return [
        *_text_head(source, facts, folder),
        'words = "Ada Lovelace lived in London .".split()',
        "encoded = [tokenizer.encode(words, is_pretokenized=True)]",
        *_RUN,
        '(logits,) = session.run(["logits"], inputs)',
        'names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["labels"]',
        "# The tag of a word is that of its first sub-token.",
        "firsts = {word: place for place, word in reversed(list(enumerate(encoded[0].word_ids))) if word is not None}",
        "tags = [names[int(logits[0, firsts[word]].argmax())] for word in range(len(words)) if word in firsts]",
        "print(list(zip(words, tags)))",
    ]


def _answers(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    return [
        *_text_head(source, facts, folder, ', strategy="only_second"'),
        'question, context = "Where did Ada live?", "Ada Lovelace lived in London."',
        "encoded = [tokenizer.encode(question, context)]",
        *_RUN,
        'starts, ends = session.run(["start_logits", "end_logits"], inputs)',
        "inside = numpy.array([number == 1 for number in encoded[0].sequence_ids])",
        "start = int(numpy.where(inside, starts[0], -numpy.inf).argmax())",
        "end = start + int(numpy.where(inside, ends[0], -numpy.inf)[start:].argmax())",
        "answer = context[encoded[0].offsets[start][0] : encoded[0].offsets[end][1]]",
        "print(answer)",
    ]


_CACHE = (
    'cache = json.loads((folder / "cache.json").read_text(encoding="utf-8"))',
    'nothing = numpy.zeros((1, cache["heads"], 0, cache["width"]), numpy.float32)',
    'kinds = [f"{layer}.{kind}" for layer in range(cache["layers"]) for kind in ("key", "value")]',
    'past = {f"past_key_values.{kind}": nothing for kind in kinds}',
)


def _next_word(facts: Facts) -> list[str]:
    """Return the end of the loop that writes: the likeliest word, unless it ends the text."""
    return [
        '    past = {f"past_key_values.{kind}": found[f"present.{kind}"] for kind in kinds}',
        '    word = int(found["logits"][0, -1].argmax())',
        f"    if word in {facts.ends!r}:",
        "        break",
        "    written.append(word)",
    ]


def _generation(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    special = "" if facts.prompt_has_specials else ", add_special_tokens=False"
    cut = f"[:-{facts.behind}]" if facts.behind and facts.prompt_has_specials else ""
    return [
        *_head(folder, "from tokenizers import Tokenizer"),
        'session = onnxruntime.InferenceSession(folder / "model.onnx")',
        'tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))',
        *_CACHE,
        "outputs = [one.name for one in session.get_outputs()]",
        "taken = {one.name for one in session.get_inputs()}",
        "",
        f"prompt = {facts.prompt!r}",
        f"words = numpy.array([tokenizer.encode(prompt{special}).ids{cut}])",
        "written, length = [], 0",
        f"while len(written) < {getattr(source.plan.task.params, 'max_new_tokens', None) or _WRITTEN}:",
        "    before, length = length, length + words.shape[1]",
        "    given = {",
        '        "input_ids": words,',
        '        "attention_mask": numpy.ones((1, length), numpy.int64),',
        '        "position_ids": numpy.arange(before, length)[None],',
        "    }",
        "    given = {name: value for name, value in given.items() if name in taken}",
        "    found = dict(zip(outputs, session.run(outputs, {**given, **past})))",
        *_next_word(facts),
        "    words = numpy.array([[word]])",
        "print(tokenizer.decode(written))",
    ]


def _seq2seq(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    params = source.plan.task.params
    text = f"{getattr(params, 'prefix', None) or ''}A text."
    start = facts.config.get("decoder_start_token_id") or facts.generation.get("decoder_start_token_id") or 0
    forced = facts.generation.get("forced_bos_token_id") or facts.config.get("forced_bos_token_id")
    begin = [start] if forced is None else [start, forced]
    most = getattr(params, "generation_max_length", None) or _WRITTEN
    return [
        *_head(folder, "from tokenizers import Tokenizer"),
        'encoder = onnxruntime.InferenceSession(folder / "encoder.onnx")',
        'decoder = onnxruntime.InferenceSession(folder / "decoder.onnx")',
        'tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))',
        f"tokenizer.enable_truncation({getattr(params, 'max_input_length', None) or _LIMIT})",
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
        *_next_word(facts),
        "    next_words = [word]",
        "print(tokenizer.decode(written))",
    ]


def _image(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    return [
        *_head(folder, "from PIL import Image"),
        'session = onnxruntime.InferenceSession(folder / "model.onnx")',
        'settings = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))',
        "",
        'image = Image.new("RGB", (640, 480))  # Image.open("photo.jpg").convert("RGB")',
        'if settings["resize"]:',
        '    size = settings["resize"]',
        "    if isinstance(size, int):  # of the shorter edge",
        "        height, width = image.height, image.width",
        "        size = [int(size * height / min(height, width)), int(size * width / min(height, width))]",
        '    resampling = getattr(Image.Resampling, settings["interpolation"].upper())',
        "    image = image.resize((size[1], size[0]), resampling)",
        'if settings["crop"]:',
        '    height, width = settings["crop"]',
        "    left, top = round((image.width - width) / 2), round((image.height - height) / 2)",
        "    image = image.crop((left, top, left + width, top + height))",
        'pixels = numpy.asarray(image, numpy.float32) * numpy.float32(settings["scale"])',
        'pixels = (pixels - numpy.float32(settings["mean"])) / numpy.float32(settings["std"])',
        "name = session.get_inputs()[0].name",
        '(logits,) = session.run(["logits"], {name: pixels.transpose(2, 0, 1)[None]})',
        *_decided(facts.labels),
    ]
