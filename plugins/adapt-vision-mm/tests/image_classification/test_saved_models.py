"""What a run of image classification leaves: every form of saving loads without adapt, predicts and exports."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from adapt_core.errors import InputError
from adapt_core.testing.cards import python_of

from ..pictures import picture

Run = Callable[..., Any]


@pytest.fixture
def run_of(run: Run, run_hf: Run) -> dict[str, Run]:
    """Return each library's run."""
    return {"timm": run, "hf": run_hf}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "photo.png"
    path.parent.mkdir()
    picture("red", 999).save(path)
    return path


_PROBE = """
import torch
inputs = torch.linspace(-1, 1, 2 * 3 * 32 * 32).view(2, 3, 32, 32)
with torch.no_grad():
    output = model(inputs)
assert not [name for name in sys.modules if name.partition(".")[0] in ("adapt_core", "adapt_vision_mm", "peft")]
torch.save(getattr(output, "logits", output), "probe.pt")
"""


@pytest.mark.parametrize("save_method", ["state_dict", "safetensors", "full_torch_model", "save_pretrained"])
@pytest.mark.parametrize("library", ["timm", "hf"])
def test_the_model_card_s_lines_load_the_model_without_adapt(
    run_of: dict[str, Run], tmp_path: Path, photo: Path, python: Callable[..., Any], library: str, save_method: str
) -> None:
    folder = tmp_path / "run"
    run_of[library](SAVE_METHOD=save_method, EPOCHS=2)
    source = python_of(folder / "README.md")
    source = re.sub(r"^# (?=from |photo = |inputs = |label = )", "", source, flags=re.MULTILINE)
    photo = _turned_and_transparent(photo)
    source = source.replace("photo.jpg", str(photo))
    logits = "model(transform(photo)[None])" if library == "timm" else "model(**inputs).logits"
    score = f"open('name.txt', 'w').write(f'{{label}} {{{logits}.softmax(-1).max().item()}}')"
    script = f"import sys\n{source}\n{score}\n{_PROBE}"
    loaded = python(script, folder=folder)
    assert loaded.returncode == 0, loaded.stderr
    from adapt_core.execution.finished_run import FinishedRun

    model = FinishedRun.open(folder, trust=True).model()
    inputs = torch.linspace(-1, 1, 2 * 3 * 32 * 32).view(2, 3, 32, 32)
    with torch.no_grad():
        output = model(inputs)
    assert torch.equal(torch.load(folder / "probe.pt"), getattr(output, "logits", output))
    from adapt_core.api import predict

    [found] = predict(folder, [str(photo)], trust=True)
    name, _, score = (folder / "name.txt").read_text().rpartition(" ")
    assert found["label"] == name
    assert found["score"] == pytest.approx(float(score), abs=1e-5)


def _turned_and_transparent(photo: Path) -> Path:
    """Return a copy of a picture that its EXIF turns, half of it transparent."""
    with Image.open(photo) as image:
        changed = image.convert("RGBA")
    changed.paste((0, 0, 255, 0), (0, 0, changed.width // 2, changed.height))
    exif = changed.getexif()
    exif[0x0112] = 6
    changed.save(photo.with_name("turned.png"), exif=exif)
    return photo.with_name("turned.png")


def test_prediction_of_files_and_folders(run: Run, tmp_path: Path, photo: Path) -> None:
    from adapt_core.api import predict

    run(EPOCHS=4, augmentation=False)
    shutil.copy(photo, photo.parent / "again.png")
    results = predict(tmp_path / "run", [str(photo), str(photo.parent)])
    assert [Path(result["image"]).name for result in results] == ["photo.png", "again.png", "photo.png"]
    assert results[0]["label"] == "red"
    assert results[0]["score"] == max(results[0]["top"].values())
    assert sum(results[0]["top"].values()) == pytest.approx(1, abs=1e-4)
    drawn = [Path(result["drawn"]) for result in results]
    assert [path.name for path in drawn] == ["photo.png", "again.png", "photo-2.png"]
    assert drawn[0].parent == tmp_path / "run" / "predictions"
    with Image.open(photo) as plain, Image.open(drawn[0]) as marked:
        assert (marked.size, marked.tobytes() == plain.tobytes()) == (plain.size, False)
    assert json.loads((drawn[0].parent / "predictions.json").read_text(encoding="utf-8")) == results
    for wrong, message in ((tmp_path / "no.jpg", "cannot be opened"), (tmp_path / "run" / "checkpoints", "no images")):
        with pytest.raises(InputError, match=message):
            predict(tmp_path / "run", [str(wrong)])


def test_the_command_line_prints_a_prediction_in_words(
    run: Run, tmp_path: Path, photo: Path, forked_adapt: Callable[..., Any]
) -> None:
    run()
    done = forked_adapt("predict", "run", "-", input=f"\n{photo}\n")
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()
    assert header == "image\tlabel\tscore\ttop\tdrawn"
    image, label, score, top, drawn = row.split("\t")
    assert (image, drawn) == (str(photo.relative_to(tmp_path)), "run/predictions/photo.png")
    assert len(score) <= len("0.1234")
    assert top.startswith(f"{label} {score}, ")


@pytest.mark.parametrize("library", ["timm", "hf"])
def test_an_unmerged_adapter_predicts_and_exports(
    run: Run, run_hf: Run, tmp_path: Path, photo: Path, library: str
) -> None:
    pytest.importorskip("adapt_peft_ssf")
    import adapt_core
    from adapt_core.api import predict

    (run if library == "timm" else run_hf)(method="LoRA", MERGE_ADAPTER=False, LR=0.02)
    [unmerged] = predict(tmp_path / "run", [str(photo)])
    adapt_core.export(tmp_path / "run", "save_pretrained", tmp_path / "exported")
    assert (tmp_path / "exported" / "model.safetensors").exists()
    assert unmerged["label"] in ("blue", "green", "red")


@pytest.mark.parametrize("library", ["timm", "hf"])
def test_a_run_goes_on_from_a_trained_model(run_of: dict[str, Run], tmp_path: Path, library: str) -> None:
    first = run_of[library](EPOCHS=2)
    further = run_of[library](START_FROM=str(tmp_path / "run"), OUTPUT_DIR=str(tmp_path / "further"), MODEL_PATH=None)
    assert further.metrics["before"]["loss"] == pytest.approx(first.metrics["after"]["loss"], abs=1e-5)
    assert further.training_check["verdict"] == "learned"


@pytest.mark.parametrize("library", ["timm", "hf"])
def test_it_goes_on_with_fewer_classes_and_keeps_all(
    run_of: dict[str, Run], pictures: Path, tmp_path: Path, photo: Path, library: str
) -> None:
    from adapt_core.api import predict

    run_of[library](CALIBRATE=False)
    for split in ("train", "val"):
        shutil.copytree(pictures / split, tmp_path / "fewer" / split, ignore=shutil.ignore_patterns("blue"))
    further = {"START_FROM": str(tmp_path / "run"), "OUTPUT_DIR": str(tmp_path / "further"), "MODEL_PATH": None}
    new = {**further, "CUSTOM_DATASET_PATH": str(tmp_path / "fewer"), "CALIBRATE": False}
    run_of[library](**new, LR=1e-9, MAX_STEPS=1)
    one, other = (predict(tmp_path / name, [str(photo)])[0] for name in ("run", "further"))
    assert other["top"] == pytest.approx(one["top"], abs=0.01)  # batch norms saw a batch
    assert all(name in other["top"] for name in ("blue", "green", "red"))
    shutil.copytree(pictures / "train" / "red", tmp_path / "fewer" / "train" / "violet")
    with pytest.raises(InputError, match=r"1 class \(violet\) that the model of the run does not know"):
        run_of[library](**new, OVERWRITE_OUTPUT_DIR=True)


@pytest.mark.parametrize("library", ["timm", "hf"])
def test_label_smoothing_is_in_the_loss_of_training_alone(run_of: dict[str, Run], tmp_path: Path, library: str) -> None:
    plain = run_of[library](MAX_STEPS=2)
    smoothed = run_of[library](MAX_STEPS=2, LABEL_SMOOTHING=0.5, OUTPUT_DIR=str(tmp_path / "smoothed"))
    assert smoothed.metrics["before"] == plain.metrics["before"]
    assert smoothed.metrics["after"]["loss"] != pytest.approx(plain.metrics["after"]["loss"], abs=1e-7)
