"""RandAugment, random erasing, MIXUP, CUTMIX: what they do to images and targets, the same when a run resumes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

import adapt_core
from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.hf.loop.losses import weighted_cross_entropy

Run = Callable[..., Any]
CLASSES = 3


def batch(rows: int = 6, size: int = 32) -> dict[str, torch.Tensor]:
    """Images of one value each, their row's number, and labels 0, 1, 2, 0, ..."""
    images = torch.arange(1.0, rows + 1)[:, None, None, None].expand(rows, 3, size, size).clone()
    return {"pixel_values": images, "labels": torch.arange(rows) % CLASSES}


def mixing(**changes: Any) -> Any:
    from adapt_vision_mm.image_classification.mixing import Mixing

    return Mixing(**{"mixup": 0.0, "cutmix": 0.0, "classes": CLASSES, "seed": 0, **changes})


def shares(mixed: dict[str, Any], plain: dict[str, torch.Tensor]) -> torch.Tensor:
    """The share that each row keeps of its own label; the other's has what is missing to 1."""
    own = mixed["labels"][torch.arange(len(plain["labels"])), plain["labels"]]
    other = mixed["labels"][torch.arange(len(plain["labels"])), plain["labels"].roll(1)]
    assert torch.allclose(own + other, torch.ones(len(own)))
    return own


def test_mixup_adds_images_and_targets_by_one_share() -> None:
    plain = batch()
    mixed = mixing(mixup=0.4)(plain, 5)
    share = shares(mixed, plain)[0]
    assert 0 < share < 1
    expected = share * plain["pixel_values"] + (1 - share) * plain["pixel_values"].roll(1, 0)
    assert torch.allclose(mixed["pixel_values"], expected)


def test_cutmix_puts_a_box_of_one_image_into_another_and_counts_its_pixels() -> None:
    plain = batch(size=64)
    drawn = [mixing(cutmix=1.0, seed=seed)(plain, 0) for seed in range(9)]
    for mixed in drawn:
        values = mixed["pixel_values"]
        kept = (values == plain["pixel_values"]).float().mean(dim=(1, 2, 3))
        replaced = (values == plain["pixel_values"].roll(1, 0)).float().mean(dim=(1, 2, 3))
        assert torch.allclose(kept + replaced, torch.ones(len(kept)))
        assert torch.allclose(shares(mixed, plain), kept, atol=1e-6)
    assert len({round(float(shares(mixed, plain)[0]), 4) for mixed in drawn}) > 5


def test_of_both_each_batch_gets_one() -> None:
    plain = batch(size=64)
    both = mixing(mixup=1.0, cutmix=1.0)
    values = [len(both(plain, step)["pixel_values"][1].unique()) for step in range(24)]
    assert set(values) == {1, 2}  # one sum of both images; or pixels of each


def test_several_labels_and_numbers_are_mixed_as_they_are() -> None:
    plain = {**batch(4), "labels": torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])}
    mixed = mixing(mixup=1.0, classes=None)(plain, 0)
    share = mixed["labels"][0, 0]
    assert torch.allclose(mixed["labels"], share * plain["labels"] + (1 - share) * plain["labels"].roll(1, 0))


def test_what_is_drawn_depends_on_seed_step_and_batch_alone() -> None:
    plain, first = batch(), mixing(mixup=1.0)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    a, b, c = first(plain, 3), first(plain, 3), first(plain, 4)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again = mixing(mixup=1.0)
    assert torch.equal(again(plain, 3)["labels"], a["labels"])
    assert torch.equal(again(plain, 3)["labels"], b["labels"])
    assert not torch.equal(a["labels"], b["labels"])
    assert not torch.equal(a["labels"], c["labels"])
    assert not torch.equal(mixing(mixup=1.0, seed=1)(plain, 3)["labels"], a["labels"])


def test_the_loss_of_mixed_targets_is_the_mix_of_the_losses() -> None:
    logits, first, second = torch.randn(6, CLASSES), torch.arange(6) % 3, torch.arange(6).flip(0) % 3
    one_hot = torch.eye(CLASSES)
    mixed = 0.3 * one_hot[first] + 0.7 * one_hot[second]
    expected = 0.3 * cross_entropy(logits, first) + 0.7 * cross_entropy(logits, second)
    assert weighted_cross_entropy(None)({"logits": logits}, mixed) == pytest.approx(float(expected), rel=1e-6)
    assert weighted_cross_entropy(None)({"logits": logits}, mixed, 12) == pytest.approx(float(expected / 2), rel=1e-6)
    weights = [1.0, 2.0, 4.0]
    of_ids = weighted_cross_entropy(weights)({"logits": logits}, first)
    assert weighted_cross_entropy(weights)({"logits": logits}, one_hot[first]) == pytest.approx(float(of_ids), rel=1e-6)


@pytest.mark.parametrize("changes", [{"MIXUP": 0.4}, {"CUTMIX": 1.0}, {"RAND_AUGMENT": 9}, {"RANDOM_ERASING": 1.0}])
@pytest.mark.parametrize("library", ["timm", "hf"])
def test_each_key_changes_what_is_learned(
    run: Run, run_hf: Run, tmp_path: Path, library: str, changes: dict[str, Any]
) -> None:
    start = run if library == "timm" else run_hf
    keys = {"EPOCHS": 1, "LOGGING_STEPS": 1, "DO_EVAL": False}

    def losses(name: str, **more: Any) -> list[float]:
        start(**keys, **more, OUTPUT_DIR=str(tmp_path / name))
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        return [line["loss"] for line in map(json.loads, lines) if line["phase"] == "train"]

    plain, changed, again = losses("plain"), losses("changed", **changes), losses("again", **changes)
    assert changed == again
    assert changed != pytest.approx(plain, rel=1e-4)


def test_a_resumed_run_mixes_as_the_unbroken_one(run: Run, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    keys = {"MIXUP": 1.0, "CUTMIX": 1.0, "EPOCHS": 2, "DO_EVAL": False, "SAVE_METHOD": "safetensors"}
    run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    with pytest.raises(InterruptedRunError):
        run(**keys, STOP_AFTER="3 steps", OUTPUT_DIR=str(tmp_path / "stopped"))
    config = adapt_core.check(tmp_path / "stopped" / "config.yaml").keys()
    adapt_core.run({**config, "STOP_AFTER": None}, resume=True)
    whole, resumed = (
        load_file(next((tmp_path / name / "model").glob("*.safetensors"))) for name in ("whole", "stopped")
    )
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_mixed_images_have_no_computed_frozen_part(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run(method="last_layer", AUGMENTED_VIEWS=1, EPOCHS=2, MIXUP=0.2)
    assert "computed at every step: MIXUP and CUTMIX mix the images of each batch anew" in caplog.text


@pytest.mark.parametrize("changes", [{"RAND_AUGMENT": 9}, {"RANDOM_ERASING": 0.2}])
def test_what_comes_on_top_of_random_crops_needs_them(read: Callable[..., Any], changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="RAND_AUGMENT, RANDOM_ERASING: these come on top of random crops"):
        read(augmentation=False, **changes)


def test_an_image_that_comes_again_in_an_epoch_is_another_view_the_same_after_a_resume(
    pictures: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLASS_SAMPLING on two images of one class beside eight of another: the two come five times each."""
    from PIL import Image

    from adapt_vision_mm.image_classification.trainer import ImageTrainer

    for split, counts in (("train", {"many": 14, "few": 2}), ("validation", {"many": 2, "few": 2})):
        for name, count in counts.items():
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = torch.randint(0, 256, (40, 40, 3), generator=torch.Generator().manual_seed(number))
                Image.fromarray(pixels.to(torch.uint8).numpy()).save(folder / f"{number}.png")
    seen: list[tuple[int, torch.Tensor]] = []
    step = ImageTrainer.training_step

    def see(self: Any, model: Any, inputs: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
        seen.extend(zip(inputs["labels"].tolist(), inputs["pixel_values"].clone(), strict=True))
        return step(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(ImageTrainer, "training_step", see)
    keys = {"CUSTOM_DATASET_PATH": str(tmp_path / "data"), "CLASS_SAMPLING": "balanced", "INTERVAL": "steps"}
    keys |= {"INTERVAL_STEPS": 1, "DO_EVAL": False, "BATCH_SIZE": 4, "EPOCHS": 1}
    run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    whole = list(seen)
    few = [pixels for label, pixels in whole if label == 0]
    assert len(whole) == 16
    assert len(few) == 8
    assert len({tuple(pixels.flatten().tolist()) for pixels in few}) == 8
    seen.clear()
    with pytest.raises(InterruptedRunError):
        run(**keys, STOP_AFTER="2 steps")
    run(**keys, resume=True)
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(seen, whole, strict=True))
