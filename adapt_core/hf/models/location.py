"""What MODEL_PATH names: a folder, a file, data of an installed package, or a hub id. Needs no torch."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from pathlib import Path

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.plugin.import_strings import PACKAGE_PREFIX, package_folder

WEIGHT_PATTERNS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model*.bin.index.json")
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "source.spm",
    "tekken.json",
)
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")

_HUB_ID = re.compile(r"(?P<id>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?")


@attrs.frozen
class ModelSource:
    """The source of a model.

    Attributes:
        given: the value in the config, for messages.
        path: a local folder or file, or None for the hub.
        hub_id, revision: on the hub.
    """

    given: str
    path: Path | None = None
    hub_id: str | None = None
    revision: str | None = None

    @property
    def name(self) -> str:
        """The argument of `from_pretrained`."""
        return str(self.path) if self.path is not None else str(self.hub_id)


def locate(plan: Plan) -> ModelSource:
    """Return the source of a plan's model. LOCAL_MODEL_PATH wins over MODEL_PATH.

    Raises:
        InputError: a local path or package does not exist, or the value is neither a path nor a hub id.
    """
    key = "LOCAL_MODEL_PATH" if plan.model.local_model_path else "MODEL_PATH"
    given = plan.model.local_model_path or plan.model.model_path
    if given is None:
        raise InputError("MODEL_PATH: no model is given. Set MODEL_PATH to a folder or a hub id.")
    if given.startswith(PACKAGE_PREFIX):
        return ModelSource(given, path=_in_package(given, key))
    path = Path(given).expanduser()
    if path.exists():
        return ModelSource(given, path=path.absolute())
    match = _HUB_ID.fullmatch(given)
    if key == "LOCAL_MODEL_PATH" or match is None or given.startswith((".", "~", "/")):
        raise InputError(
            f"{key}: {given} does not exist (looked for it at {path.absolute()}).{_nearby(path)} Correct the path."
        )
    return ModelSource(given, hub_id=match["id"], revision=match["revision"])


def _nearby(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    near = get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1)
    return f" Did you mean {path.parent / near[0]}?" if near else ""


def _in_package(given: str, key: str) -> Path:
    name, _, inside = given.removeprefix(PACKAGE_PREFIX).partition("/")
    if not name.isidentifier():
        raise InputError(
            f"{key}: {given}: after '{PACKAGE_PREFIX}' comes the import name of an installed package."
            " Write package:NAME/FOLDER."
        )
    root = package_folder(name)
    if root is None:
        raise InputError(
            f"{key}: the package {name!r} is not installed here (distribution names often have dashes): "
            f"pip install {name.replace('_', '-')}"
        )
    path = (root / inside).resolve()
    if not path.is_relative_to(root):
        raise InputError(f"{key}: {given} is outside the package. Name a folder inside it.")
    if not path.exists():
        folders = sorted(str(p.parent.relative_to(root)) for p in root.rglob("config.json"))
        hint = f" Models in it: {', '.join(f'package:{name}/{f}' for f in folders)}." if folders else ""
        raise InputError(f"{key}: the package {name!r} has no {inside!r}.{hint} Name a folder of the package.")
    return path


def check_model_folder(source: ModelSource, companions: tuple[str, ...], what: str) -> None:
    """Check that a local model folder is complete. Do nothing for a file or a hub id.

    Args:
        source: the model.
        companions: file names of which the folder needs one, besides config and weights.
        what: what the companions are ("a tokenizer").

    Raises:
        InputError: naming what is missing.
    """
    folder = source.path
    if folder is None or not folder.is_dir():
        return
    config = folder / "config.json"
    if not config.is_file():
        deeper = sorted(p.parent for p in folder.glob("*/config.json"))
        hint = (
            f" Did you mean {deeper[0]}?"
            if deeper
            else " A Hugging Face model folder contains config.json, weights and a tokenizer."
        )
        raise InputError(f"MODEL_PATH: {source.given} has no config.json.{hint} Give such a folder.")
    try:
        json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"MODEL_PATH: {config} cannot be read as JSON: {error}. Restore the file.") from None
    if not any(path.stat().st_size for pattern in WEIGHT_PATTERNS for path in folder.glob(pattern)):
        raise InputError(
            f"MODEL_PATH: {source.given} has no weights (model.safetensors or pytorch_model.bin). Add them."
        )
    if companions and not any((folder / name).is_file() for name in companions):
        raise InputError(
            f"MODEL_PATH: {source.given} has no {what} ({', '.join(companions[:3])}, ...). Add the tokenizer's files."
        )
