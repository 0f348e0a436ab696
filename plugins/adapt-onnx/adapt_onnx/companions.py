"""What an export needs beside the model: labels and decisions, tokenizer, image preprocessing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import attrs

from adapt_core.contracts import ExportSource
from adapt_core.hf.decisions.names import KEPT
from adapt_core.run_folder.files import write_text

LABELS, PREPROCESSING = "labels.json", "preprocessing.json"
_KEPT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "config.json",
    "generation_config.json",
    "chat_template.jinja",
)
_PILLOW = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


@attrs.frozen(kw_only=True)
class Facts:
    """What the lines that use an export must know of the model and its tokenizer.

    Attributes:
        config, tokenizer, generation: `config.json`, `tokenizer_config.json`, `generation_config.json`.
        labels: see `labels_of`.
        has_tokenizer: whether the tokenizer is one of the library tokenizers.
        pad_id, pad_token: of padding.
        ends: the tokens that end a generated text.
        prompt: an example, in the chat template where the model was trained on conversations.
        prompt_has_specials: whether the tokenizer adds its special tokens to it; behind: how many of them behind it.
    """

    config: Mapping[str, Any]
    tokenizer: Mapping[str, Any]
    generation: Mapping[str, Any]
    labels: Mapping[str, Any]
    has_tokenizer: bool
    pad_id: int = 0
    pad_token: str = "[PAD]"  # noqa: S105 - a padding token
    ends: list[int] = attrs.field(factory=list)
    prompt: str = "Once upon a time"
    prompt_has_specials: bool = True
    behind: int = 0


def facts_of(source: ExportSource) -> Facts:
    """Return these facts of an adapted model."""
    with tempfile.TemporaryDirectory() as place:
        saved = Path(place)
        source.save_companions(saved)
        config, tokenizer, generation = (
            _read(saved / name) for name in ("config.json", "tokenizer_config.json", "generation_config.json")
        )
        has_tokenizer = (saved / "tokenizer.json").is_file()
    ends = generation.get("eos_token_id", config.get("eos_token_id"))
    facts = Facts(
        config=config,
        tokenizer=tokenizer,
        generation=generation,
        labels=labels_of(config),
        has_tokenizer=has_tokenizer,
        ends=[] if ends is None else ends if isinstance(ends, list) else [ends],
    )
    found: Any = getattr(source.task, "tokenizer", None)
    if found is None:
        return facts
    facts = attrs.evolve(facts, pad_id=found.pad_token_id or 0, pad_token=found.pad_token or "[PAD]")
    if source.plan.task.name != "text_generation":
        return facts
    if source.answers_turns and found.chat_template:
        asked = [{"role": "user", "content": "Name three rivers."}]
        variables = getattr(source.plan.task.params, "chat_template_kwargs", None) or {}
        prompt = found.apply_chat_template(asked, tokenize=False, add_generation_prompt=True, **variables)
        return attrs.evolve(facts, prompt=prompt, prompt_has_specials=False)
    bare, whole = (found(facts.prompt, add_special_tokens=special)["input_ids"] for special in (False, True))
    before = next((place for place in range(len(whole)) if whole[place:][: len(bare)] == bare), 0)
    return attrs.evolve(facts, behind=len(whole) - before - len(bare))


def write_companions(source: ExportSource, folder: Path) -> None:
    """Write the tokenizer, the configs, `labels.json` and, for images, `preprocessing.json`."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        saved = Path(place)
        source.save_companions(saved)
        for name in _KEPT_FILES:
            if (saved / name).is_file():
                copyfile(saved / name, folder / name)
        config = _read(saved / "config.json")
        processor = _read(saved / "preprocessor_config.json")
    labels = labels_of(config)
    if labels:
        _write(folder / LABELS, labels)
    if processor:
        _write(folder / PREPROCESSING, of_transformers(processor))
    elif "pretrained_cfg" in config:
        _write(folder / PREPROCESSING, of_timm(config["pretrained_cfg"]))


def labels_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names of a config's labels, the kind of problem, and what predictions decide by.

    Args:
        config: of a transformers or timm model.
    """
    named = config.get("id2label")
    names = [named[key] for key in sorted(named, key=int)] if named else config.get("label_names")
    if not names:
        return {}
    kinds = {"multi_label_classification": "multi_label", "regression": "regression", "multi_label": "multi_label"}
    problem = kinds.get(str(config.get("problem_type")), "single_label")
    return {
        "labels": names,
        "problem": problem,
        **{name: config[name] for name in KEPT if config.get(name) is not None},
    }


def of_timm(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preprocessing of timm's data config: shortest edge to size / crop_pct, then the middle."""
    _, height, width = config["input_size"]
    share = float(config.get("crop_pct") or 1.0)
    squash = config.get("crop_mode") == "squash"
    size = [int(height / share), int(width / share)]
    return {
        "resize": size if squash or height != width else size[0],
        "crop": [height, width],
        "interpolation": config.get("interpolation", "bicubic"),
        "mean": list(config["mean"]),
        "std": list(config["std"]),
        "scale": 1 / 255,
    }


def of_transformers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preprocessing of an image processor's config."""
    size, crop = config.get("size") or {}, config.get("crop_size") or {}
    resize: Any = None
    if config.get("do_resize", True):
        resize = size.get("shortest_edge") or [size.get("height"), size.get("width")]
    crops = config.get("do_center_crop") and crop
    normalizes = config.get("do_normalize", True)
    return {
        "resize": resize,
        "crop": [crop["height"], crop["width"]] if crops else None,
        "interpolation": _PILLOW.get(int(config.get("resample", 3)), "bicubic"),
        "mean": config["image_mean"] if normalizes else [0.0, 0.0, 0.0],
        "std": config["image_std"] if normalizes else [1.0, 1.0, 1.0],
        "scale": config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0,
    }


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
