"""Weights on disk in the four forms of SAVE_METHOD, written and read without running code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError, first_line
from adapt_core.nn.pickles import foreign_part, full_unpickling

if TYPE_CHECKING:
    import torch
    from torch import nn

FILES = {
    "full_torch_model": "model.pt",
    "state_dict": "model_state_dict.pt",
    "safetensors": "model.safetensors",
}
"""SAVE_METHOD -> file name in `model/`; `save_pretrained` is the task's own."""


def save_weights(model: nn.Module, folder: Path, save_method: str) -> None:
    """Write a plain model's weights in one of the forms of `FILES`, on the CPU.

    Raises:
        InputError: it is another form, which only models of a library that has it can be written in.
    """
    import torch

    if save_method not in FILES:
        raise InputError(
            f"SAVE_METHOD: {save_method} is for Hugging Face and timm models, and this is none. Give one of "
            f"{', '.join(FILES)}."
        )
    path = folder / FILES[save_method]
    if save_method == "full_torch_model":
        device = next(model.parameters()).device
        torch.save(model.cpu(), path)
        model.to(device)
    elif save_method == "state_dict":
        torch.save({name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}, path)
    else:
        from safetensors.torch import save_model

        save_model(model, str(path), metadata={"format": "pt"})


def saved_form(folder: Path) -> str | None:
    """Return the SAVE_METHOD of the weights in a folder, or None where there are none."""
    return next((method for method, name in FILES.items() if (folder / name).exists()), None)


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return a state dict from a .safetensors or torch file, tensors only (`weights_only`).

    Raises:
        InputError: the file is missing, corrupt, or would run code when loaded.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        try:
            return load_file(str(path))
        except FileNotFoundError:
            raise InputError(f"{path} does not exist. Correct the path.") from None
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{path} cannot be read as weights: {first_line(error)} (Save the weights again.)"
            ) from None
    state = read_torch_file(path)
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{path} does not contain a state dict (names to tensors). Save model.state_dict() there.")
    return state


def read_torch_file(path: Path) -> Any:
    """Return what a torch file holds, on the CPU: tensors and plain Python values (`weights_only`).

    Raises:
        InputError: the file is missing, corrupt, or would run code when loaded.
    """
    import pickle

    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Correct the path.") from None
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is not a plain state dict and is not loaded: it could run code, for it {foreign_part(error)}. "
            "Save it as safetensors."
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{path} cannot be read as weights: {first_line(error)} (Save the weights again.)") from None


def load_pickled_model(path: Path, *, trusted: bool) -> nn.Module:
    """Return a pickled model. Only where the user trusts it, for loading a pickle can run code.

    Raises:
        InputError: it is not trusted, or it is of classes that cannot be imported here.
    """
    import torch

    if not trusted:
        raise InputError(
            f"{path} is a pickled model, and loading it can run code. If you trust it: --set TRUST_REMOTE_CODE=true "
            "(or export the run with another SAVE_METHOD, which can be loaded without)."
        )
    try:
        with full_unpickling():
            model: nn.Module = torch.load(path, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{path} is a pickle of classes that cannot be imported here: {error}. Install what it was trained with; a "
            "model with code of its own is better saved by another SAVE_METHOD."
        ) from error
    return model
