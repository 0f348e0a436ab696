"""The lines that use an export, with onnxruntime, numpy, and tokenizers or Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapt_core.contracts import ExportSource
from adapt_core.hf.decisions.names import LEAST, TEMPERATURE, THRESHOLDS

from adapt_onnx.companions import Facts, facts_of
from adapt_onnx.writing import LIMIT, generation_lines, head, how_it_writes, seq2seq_lines

_NO_TOKENIZER = "The tokenizer has no `tokenizer.json`: make inputs with transformers' own, as NumPy arrays.\n"
_UNLIMITED = 10**9


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
        "text_generation": generation_lines,
        "summarization": seq2seq_lines,
        "translation": seq2seq_lines,
        "question_answering": _answers,
    }.get(task, _tags if _is_tagger(source) else _text)
    note = "The same lines run `model_int8.onnx` (or `encoder_int8.onnx` and `decoder_int8.onnx`).\n" if int8 else ""
    if task in ("text_generation", "summarization", "translation"):
        note = how_it_writes(facts, source.plan.task.params) + note
    code = "\n".join(lines(source, facts, folder))
    return f"```sh\npip install onnxruntime numpy {packages}\n```\n\n```python\n{code}\n```\n{note}"


def _is_tagger(source: ExportSource) -> bool:
    """Return whether a text classifier gives each word a tag (subtask: ner, pos, chunk)."""
    subtask = getattr(source.plan.task.params, "subtask", None)
    return subtask in ("ner", "pos", "chunk")


def _text_head(source: ExportSource, facts: Facts, folder: str, truncation: str = "") -> list[str]:
    return [
        *head(folder, "from tokenizers import Tokenizer"),
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
    return given or min(known, default=LIMIT)


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


def _image(source: ExportSource, facts: Facts, folder: str) -> list[str]:
    return [
        *head(folder, "from PIL import Image"),
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
