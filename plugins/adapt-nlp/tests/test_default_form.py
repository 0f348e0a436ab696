"""SAVE_METHOD's default, state_dict: `model/` as it lies loads with `from_pretrained` and `pipeline`, without adapt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.hf.models.save_formats import INDEX_FILE

from .seq2seq_models import translations, write

Rows = list[dict[str, Any]]

SHORT = {"MAX_STEPS": 3, "BATCH_SIZE": 4, "LR": 0.01, "NUM_WORKERS": 0, "DO_EVAL": False}
TEXTS = ["call me today", "a b"]
TAGGED: Rows = [{"tokens": ["call", name], "ner_tags": ["O", "PER"]} for name in "abcdefghijklmnop"]
LABELLED: Rows = [{"text": f"call {name}", "label": "vowel" if name in "aeio" else "other"} for name in "abcdefghijkl"]
ANSWERED: Rows = [
    {
        "context": "Ada lived in London.",
        "question": f"Where did {name} live?",
        "answers": {"text": ["London"], "answer_start": [13]},
    }
    for name in ("Ada", "she") * 6
]

PIPELINE = """
import json, sys
from transformers import pipeline

task, texts, options = json.loads(sys.argv[1])
print(json.dumps(pipeline(task, model="model")(texts, **options), default=float))
assert not any(name.startswith("adapt_") for name in sys.modules)
"""


def piped(python: Callable[..., Any], folder: Path, task: str, texts: list[str], **options: Any) -> Any:
    """Return what transformers' pipeline finds with `model/` of a run folder, in a process without adapt."""
    done = python(PIPELINE, json.dumps([task, texts, options]), folder=folder)
    assert done.returncode == 0, done.stderr
    assert "newly initialized" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_classifier_by_pipeline(tiny_encoder: Path, tmp_path: Path, python: Callable[..., Any]) -> None:
    data = write(tmp_path / "data", train=LABELLED, validation=LABELLED[:4])
    folder = _run(tmp_path, TASK="text_classification", MODEL_PATH=str(tiny_encoder), CUSTOM_DATASET_PATH=str(data))
    ours = adapt_core.predict(folder, TEXTS)
    for found, own in zip(piped(python, folder, "text-classification", TEXTS), ours, strict=True):
        assert found["label"] == own["label"]
        assert found["score"] == pytest.approx(own["score"], abs=1e-5)


def test_a_tagger_by_pipeline(tiny_encoder: Path, tmp_path: Path, python: Callable[..., Any]) -> None:
    data = write(tmp_path / "data", train=TAGGED, validation=TAGGED[:4])
    task = {"TASK": "text_classification", "subtask": "ner", "MODEL_PATH": str(tiny_encoder)}
    folder = _run(tmp_path, **task, CUSTOM_DATASET_PATH=str(data))
    [words] = piped(python, folder, "token-classification", ["call a"], ignore_labels=[])
    [ours] = adapt_core.predict(folder, ["call a"])
    assert [word["entity"] for word in words] == ours["tags"]


@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_a_language_model_by_pipeline_its_head_tied_or_not(
    tiny_llama: Path, inbox: Path, tmp_path: Path, python: Callable[..., Any], method: str
) -> None:
    task = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "CUSTOM_DATASET_PATH": str(inbox)}
    short = {"MAX_TRAIN_SAMPLES": 32, "max_seq_length": 64, "max_new_tokens": 8}
    folder = _run(tmp_path, **task, **short, method=method)
    options = {"return_full_text": False, "max_new_tokens": 8, "do_sample": False}
    [[found]] = piped(python, folder, "text-generation", ["where is"], **options)
    assert found["generated_text"].strip() == adapt_core.predict(folder, ["where is"])[0]["generated_text"].strip()


def test_answers_and_translations_by_from_pretrained(
    tiny_encoder: Path, tiny_t5: Path, tmp_path: Path, python: Callable[..., Any]
) -> None:
    """transformers 5 has no pipeline for them; the card's lines are `from_pretrained`, and theirs are run elsewhere."""
    from transformers import AutoModelForQuestionAnswering, AutoModelForSeq2SeqLM

    asked = write(tmp_path / "asked", train=ANSWERED, validation=ANSWERED[:2])
    pairs = write(tmp_path / "pairs", train=translations(16), validation=translations(4, 500))
    answers = {"TASK": "question_answering", "MODEL_PATH": str(tiny_encoder), "max_length": 64, "doc_stride": 16}
    translates = {"TASK": "translation", "MODEL_PATH": str(tiny_t5), "generation_max_length": 8}
    for auto, keys, data in (
        (AutoModelForQuestionAnswering, answers, asked),
        (AutoModelForSeq2SeqLM, translates, pairs),
    ):
        folder = _run(tmp_path, **keys, CUSTOM_DATASET_PATH=str(data), OVERWRITE_OUTPUT_DIR=True)
        assert '.from_pretrained("model")' in (folder / "README.md").read_text(encoding="utf-8")
        model, info = auto.from_pretrained(folder / "model", output_loading_info=True)
        assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        ours = _state(folder)
        assert all(tensor.equal(ours[name]) for name, tensor in model.state_dict().items())


def test_nothing_is_written_twice(tiny_encoder: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data", train=LABELLED, validation=LABELLED[:4])
    folder = _run(tmp_path, TASK="text_classification", MODEL_PATH=str(tiny_encoder), CUSTOM_DATASET_PATH=str(data))
    weights = [path.name for path in (folder / "model").iterdir() if path.suffix in (".pt", ".bin", ".safetensors")]
    assert weights == ["model_state_dict.pt"]
    index = json.loads((folder / "model" / INDEX_FILE).read_text(encoding="utf-8"))
    assert index["weight_map"].keys() == _state(folder).keys()
    assert set(index["weight_map"].values()) == {"model_state_dict.pt"}
    assert index["metadata"]["total_size"] == sum(t.numel() * t.element_size() for t in _state(folder).values())


def _state(folder: Path) -> dict[str, Any]:
    import torch

    state: dict[str, Any] = torch.load(folder / "model" / "model_state_dict.pt", weights_only=True)
    return state


def _run(tmp_path: Path, **keys: Any) -> Path:
    result = adapt_core.run({**SHORT, **keys, "OUTPUT_DIR": str(tmp_path / "run")})
    return Path(result.output_dir)
