"""Checkpoints of an mm run: trained weights, optimizer, schedulers, position and random state, with a manifest."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import nn

from adapt_core.errors import InputError
from adapt_core.nn.accelerators import random_states, set_random_states
from adapt_core.nn.staging import write_state
from adapt_core.nn.weights import read_torch_file
from adapt_core.run_folder.checkpoints import claim_checkpoint, seal

STATE = "state.pt"


def trained_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return what training may change: the trainable parameters and all buffers."""
    frozen = {name for name, parameter in model.named_parameters(remove_duplicate=False) if not parameter.requires_grad}
    return {name: tensor.detach().cpu() for name, tensor in model.state_dict().items() if name not in frozen}


def random_state() -> dict[str, Any]:
    """Return this process's random states as plain data and tensors."""
    kind, keys, position, has_gauss, gauss = numpy.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [str(kind), torch.from_numpy(numpy.asarray(keys).astype("int64")), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
        "cuda": random_states(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Set the random states that `random_state` returned."""
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
    kind, keys, position, has_gauss, gauss = state["numpy"]
    numpy.random.set_state((kind, keys.numpy().astype("uint32"), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    set_random_states(state["cuda"])


def write(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write checkpoint-STEP and its manifest."""
    checkpoint = folder / f"checkpoint-{step}"
    claim_checkpoint(checkpoint)
    write_state(state, checkpoint / STATE)
    seal(checkpoint)


def read(checkpoint: Path) -> dict[str, Any]:
    """Return what `write` wrote, without running code from it.

    Raises:
        InputError: it is not a checkpoint of an mm run.
    """
    path = checkpoint / STATE
    if not path.is_file():
        raise InputError(f"{checkpoint} is not a checkpoint of this task: it has no {STATE}. Give another checkpoint.")
    state: dict[str, Any] = read_torch_file(path)
    return state


def load_trained_state(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load what `trained_state` returned into a model.

    Raises:
        InputError: the model has other parameters.
    """
    unexpected = model.load_state_dict(state, strict=False).unexpected_keys
    if unexpected:
        raise InputError(
            f"the checkpoint has {len(unexpected)} tensors that this model does not have."
            " Give a checkpoint of this model."
        )


def load_evaluated_state(model: nn.Module, state: dict[str, Any]) -> None:
    """Load the weights that the evaluation of a checkpoint was of: the averages of EMA, where there are any.

    They come last, by the first name of each: a state dict has layers that levels share under each of their names.

    Args:
        model: of the run.
        state: as `read` returns it.
    """
    load_trained_state(model, state["model"])
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for name, average in state.get("averages", {}).items():
            tensors[name].copy_(average)
