"""Models that are broken, of another kind, or carry code: refused with MODEL_PATH or the file named, and never run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..hostile import Run, refused

# --- image classification ------------------------------------------------------------------------------------------


def test_a_pickle_with_code_is_not_run_as_weights_of_timm(run: Run, evil: bytes, tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(evil)
    message = refused(run, LOCAL_MODEL_PATH=str(tmp_path / "evil.pth"))
    assert "evil.pth" in message
    assert "could run code" in message


def test_a_pickle_with_code_is_not_run_as_weights_of_a_hugging_face_folder(
    run_hf: Run, evil: bytes, tiny_vit: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(tiny_vit, tmp_path / "model"))
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(evil)
    message = refused(run_hf, MODEL_PATH=str(model))
    assert "MODEL_PATH" in message
    assert "could run code" in message


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_broken_weights_are_named(run: Run, run_hf: Run, tiny_vit: Path, tmp_path: Path, content: bytes | None) -> None:
    whole = (tiny_vit / "model.safetensors").read_bytes()
    broken = whole[:-100] if content is None else content
    (tmp_path / "w.safetensors").write_bytes(broken)
    assert "w.safetensors cannot be read" in refused(run, LOCAL_MODEL_PATH=str(tmp_path / "w.safetensors"))
    model = Path(shutil.copytree(tiny_vit, tmp_path / "model"))
    (model / "model.safetensors").write_bytes(broken)
    assert "MODEL_PATH" in refused(run_hf, MODEL_PATH=str(model))


def test_weights_of_another_architecture_are_named(run: Run, tiny_vit: Path) -> None:
    message = refused(run, LOCAL_MODEL_PATH=str(tiny_vit / "model.safetensors"))
    assert "of the model are missing" in message


def test_a_language_model_is_no_image_classifier(run_hf: Run, tiny_encoder: Path) -> None:
    assert "which is a bert" in refused(run_hf, MODEL_PATH=str(tiny_encoder))
