"""Nothing in a pickle runs, whichever library loads it, unless the user trusts that file."""

from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.errors import InputError
from adapt_core.nn.pickles import full_unpickling, require_plain_metadata, weights_only
from adapt_core.nn.weights import load_pickled_model, read_state_dict, read_torch_file

_SWITCHES = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")


class Marking:
    """Leaves an empty folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture
def marking(tmp_path: Path, marker: Path) -> Path:
    """A file of torch that leaves a marker where it is unpickled in full."""
    torch.save({"state_dict": {"weight": torch.zeros(1)}, "meta": Marking(marker)}, tmp_path / "marking.pt")
    return tmp_path / "marking.pt"


def as_a_library_might(path: Path) -> Any:
    """Read tensors, and everything where that fails."""
    try:
        return torch.load(path, weights_only=True)
    except pickle.UnpicklingError:
        return torch.load(path, weights_only=False)


def test_a_library_that_falls_back_to_a_full_unpickle_cannot(marking: Path, marker: Path) -> None:
    with pytest.raises(InputError) as refused, weights_only():
        as_a_library_might(marking)
    assert f"{marking} is not loaded, for it could run code: it refers to {os.name}.mkdir." in str(refused.value)
    assert "weights_only" not in str(refused.value), "torch advises to load everything"
    assert not marker.exists()
    as_a_library_might(marking)
    assert marker.exists(), "the file is harmful where nothing is done against it"


def test_a_file_that_the_user_trusts_is_unpickled_inside_of_it(marking: Path, marker: Path) -> None:
    with weights_only():
        with full_unpickling():
            as_a_library_might(marking)
        assert marker.exists()
        marker.rmdir()
        with pytest.raises(InputError, match=r"marking\.pt .*could run code"):
            read_torch_file(marking)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02", b"no weights"])
def test_a_file_that_holds_no_weights_is_named(tmp_path: Path, content: bytes) -> None:
    for name in ("empty.pt", "empty.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name} (cannot be read as weights: \w|is not a plain state dict)"):
            read_state_dict(tmp_path / name)


def test_a_pickled_model_is_loaded_with_trust_alone(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3), tmp_path / "model.pt")
    with weights_only():
        assert load_pickled_model(tmp_path / "model.pt", trusted=True).out_features == 3
        with pytest.raises(InputError, match="TRUST_REMOTE_CODE=true"):
            load_pickled_model(tmp_path / "model.pt", trusted=False)


@pytest.mark.parametrize("before", [{}, dict.fromkeys(_SWITCHES[:1], "0"), dict.fromkeys(_SWITCHES[1:], "1")])
def test_the_users_own_switches_are_as_before(
    before: dict[str, str], marking: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _SWITCHES:
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError), weights_only():
        torch.load(marking)
    assert {name: os.environ[name] for name in _SWITCHES if name in os.environ} == before
    assert not marker.exists()


def trained_state(lr: float) -> dict[str, Any]:
    """The state of a small model and its optimizer after a step, as accelerate gives it to torch under FSDP."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).to(torch.bfloat16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    model(torch.ones(2, 4, dtype=torch.bfloat16)).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": get_optimizer_state_dict(model, optimizer)}


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A checkpoint in shards."""
    from torch.distributed import checkpoint

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one process
        checkpoint.save(trained_state(0.125), checkpoint_id=tmp_path / "checkpoint-1" / "pytorch_model_fsdp_0")
    return tmp_path / "checkpoint-1"


def test_what_torch_writes_beside_shards_is_read_and_loaded(shards: Path) -> None:
    from torch.distributed import checkpoint

    assert (shards / "pytorch_model_fsdp_0" / ".metadata").is_file()
    require_plain_metadata(shards)
    state = trained_state(0.5)
    with weights_only(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checkpoint.load(state, checkpoint_id=shards / "pytorch_model_fsdp_0")
    assert [group["lr"] for group in state["optimizer"]["param_groups"]] == [0.125]


class Attribute:
    """Is pickled as an attribute of something, as members of enums are by Python before 3.11.4."""

    def __init__(self, owner: object, name: str) -> None:
        self.of = owner, name

    def __reduce__(self) -> Any:
        return getattr, self.of


def test_of_attributes_members_of_enums_alone_are_read(shards: Path) -> None:
    from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING, Metadata

    foreign = shards / ".metadata"
    foreign.write_bytes(
        pickle.dumps(Metadata({}, planner_data=Attribute(_MEM_FORMAT_ENCODING, "TORCH_PRESERVE_FORMAT")))
    )
    require_plain_metadata(shards)
    for owner, name in ((_MEM_FORMAT_ENCODING, "mro"), (Metadata, "__init__")):
        foreign.write_bytes(pickle.dumps(Metadata({}, planner_data=Attribute(owner, name))))
        with pytest.raises(InputError, match=r"for it could run code: it refers to builtins\.getattr of"):
            require_plain_metadata(shards)


@pytest.mark.parametrize("place", ["optimizer_0", "."])
def test_metadata_that_refers_to_anything_else_is_refused(shards: Path, marker: Path, place: str) -> None:
    from torch.distributed.checkpoint.metadata import Metadata

    (shards / place).mkdir(exist_ok=True)
    foreign = shards / place / ".metadata"
    foreign.write_bytes(pickle.dumps(Metadata({}, planner_data=Marking(marker))))
    with pytest.raises(InputError, match=r"\.metadata is not loaded, for it could run code: it refers to posix\.mkdir"):
        require_plain_metadata(shards)
    foreign.write_bytes(b"\x80\x04")
    with pytest.raises(InputError, match=r"cannot be read as the metadata of a sharded checkpoint \(EOFError"):
        require_plain_metadata(shards)
    assert not marker.exists()


@pytest.mark.parametrize("named", ["torch load", "torch.hub load", "builtins eval", "torch.serialization _load"])
def test_functions_beside_the_listed_types_are_foreign(tmp_path: Path, named: str) -> None:
    module, name = named.split()
    words = b"".join(bytes([0x8C, len(word)]) + word.encode() for word in (module, name))
    (tmp_path / ".metadata").write_bytes(b"\x80\x04" + words + b"\x93.")  # STACK_GLOBAL
    with pytest.raises(InputError, match=f"could run code: it refers to {module}.{name}"):
        require_plain_metadata(tmp_path)
