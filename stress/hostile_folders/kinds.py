"""What may be planted in a run of a language model. Every marker is an empty file or folder."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from adapt_core.run_folder.checkpoints import seal

FIRST = "checkpoints/checkpoint-1"


@attrs.frozen
class Kind:
    """A way to make a folder hostile.

    Attributes:
        name: for the table.
        subject: the run that it is planted in.
        plant: (copy of the run folder, marker) changes the copy.
        with_trust: the command in which TRUST_REMOTE_CODE lets it run; None where nothing does.
    """

    name: str
    subject: str
    plant: Callable[[Path, Path], None]
    with_trust: str | None = None


class Marking:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def code(marker: Path) -> str:
    """Return a line of Python that leaves a marker."""
    return f"open({str(marker)!r}, 'w').close()\n"


def pickled(path: Path, marker: Path) -> None:
    """Write a file of torch that leaves a marker where it is unpickled in full."""
    import torch

    torch.save({"state_dict": {"weight": torch.zeros(1)}, "meta": Marking(marker)}, path)


def edited(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    held = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**held, **changes}), encoding="utf-8")


def reconfigured(run: Path, **changes: Any) -> None:
    """Change keys of the run's config, which is written as JSON: YAML reads it too."""
    from adapt_core.config.reader import read_file

    held = {entry.key: entry.value for entry in read_file(run / "config.yaml")}
    (run / "config.yaml").write_text(json.dumps({**held, **changes}), encoding="utf-8")


def _model_pickle(run: Path, marker: Path) -> None:
    pickled(run / "model" / "model.pt", marker)


def _state_dict(run: Path, marker: Path) -> None:
    (run / "model" / "model.safetensors").unlink()
    pickled(run / "model" / "model_state_dict.pt", marker)


def _hugging_face_weights(run: Path, marker: Path) -> None:
    (run / "model" / "model.safetensors").unlink()
    pickled(run / "model" / "pytorch_model.bin", marker)


_CODE = """
from transformers import BertConfig, BertForSequenceClassification


class OwnConfig(BertConfig):
    model_type = "own-bert"


class OwnModel(BertForSequenceClassification):
    config_class = OwnConfig
"""


def own_code(model: Path, marker: Path) -> None:
    """Give a model folder classes of its own, which leave a marker on import."""
    (model / "own.py").write_text(code(marker) + _CODE, encoding="utf-8")
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForSequenceClassification": "own.OwnModel"}
    edited(model / "config.json", auto_map=names, model_type="own-bert")


def _model_code(run: Path, marker: Path) -> None:
    own_code(run / "model", marker)


def _model_code_trusted_by_itself(run: Path, marker: Path) -> None:
    own_code(run / "model", marker)
    reconfigured(run, TRUST_REMOTE_CODE=True)


def _tokenizer_code(run: Path, marker: Path) -> None:
    (run / "model" / "own.py").write_text(code(marker) + "class OwnTokenizer: ...\n", encoding="utf-8")
    names = {"AutoTokenizer": ["own.OwnTokenizer", "own.OwnTokenizer"]}
    edited(run / "model" / "tokenizer_config.json", auto_map=names, tokenizer_class="OwnTokenizer")


def _yaml_object(run: Path, marker: Path) -> None:
    line = f"\nDO_TRAIN: !!python/object/apply:os.mkdir [{json.dumps(str(marker))}]\n"
    with (run / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(line)


def _checkpoint_file(name: str) -> Callable[[Path, Path], None]:
    def plant(run: Path, marker: Path) -> None:
        pickled(run / FIRST / name, marker)
        seal(run / FIRST)

    return plant


def _shards(run: Path, marker: Path) -> None:
    from torch.distributed.checkpoint.metadata import Metadata

    folder = run / FIRST / "pytorch_model_fsdp_0"
    folder.mkdir()
    (folder / ".metadata").write_bytes(pickle.dumps(Metadata({}, planner_data=Marking(marker))))
    seal(run / FIRST)


def _adapter_pickle(run: Path, marker: Path) -> None:
    (run / "adapter" / "adapter_model.safetensors").unlink()
    pickled(run / "adapter" / "adapter_model.bin", marker)


def _adapter_module(run: Path, marker: Path) -> None:
    (run / "adapter" / "own_library.py").write_text(code(marker), encoding="utf-8")
    mapping = {"base_model_class": "Base", "parent_library": "own_library"}
    edited(run / "adapter" / "adapter_config.json", auto_mapping=mapping)


def _base_code(run: Path, marker: Path) -> None:
    shutil.copytree(run.parent / "base", run / "base")
    own_code(run / "base", marker)
    reconfigured(run, MODEL_PATH=str(run / "base"), TRUST_REMOTE_CODE=True)


def _base_pickle(run: Path, marker: Path) -> None:
    shutil.copytree(run.parent / "base", run / "base")
    (run / "base" / "model.safetensors").unlink()
    pickled(run / "base" / "pytorch_model.bin", marker)
    reconfigured(run, MODEL_PATH=str(run / "base"))


def _checkpoint_of_the_config(run: Path, marker: Path) -> None:
    pickled(run / "more.pt", marker)
    reconfigured(run, MODEL_CHECKPOINT=str(run / "more.pt"))


KINDS = [
    Kind("a pickled model", "text", _model_pickle, with_trust="predict"),
    Kind("a state dict with an object in it", "text", _state_dict),
    Kind("pytorch_model.bin with an object in it", "text", _hugging_face_weights),
    Kind("a model with a class of its own", "text", _model_code, with_trust="predict"),
    Kind("the same, and a config that trusts it", "text", _model_code_trusted_by_itself),
    Kind("a tokenizer with a class of its own", "text", _tokenizer_code, with_trust="predict"),
    Kind("a Python object in config.yaml", "text", _yaml_object),
    Kind("optimizer.pt of a checkpoint", "text", _checkpoint_file("optimizer.pt")),
    Kind("scheduler.pt of a checkpoint", "text", _checkpoint_file("scheduler.pt")),
    Kind("rng_state.pth of a checkpoint", "text", _checkpoint_file("rng_state.pth")),
    Kind("training_args.bin of a checkpoint", "text", _checkpoint_file("training_args.bin")),
    Kind("metadata of a sharded checkpoint", "text", _shards),
    Kind("adapter_model.bin with an object in it", "adapter", _adapter_pickle),
    Kind("an adapter that names a module", "adapter", _adapter_module),
    Kind("a base with a class of its own", "adapter", _base_code, with_trust="predict"),
    Kind("a base whose weights hold an object", "adapter", _base_pickle),
    Kind("a checkpoint that config.yaml names", "adapter", _checkpoint_of_the_config),
]
