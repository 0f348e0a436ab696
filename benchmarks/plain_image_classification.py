"""Image classification by timm and transformers' Trainer alone: what a careful user writes without adapt.

Load, evaluate, train with an evaluation and a checkpoint each epoch, save; the same phases as adapt's. Prints one JSON
object: training losses, metrics before and after, and the seconds of the training phase.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import timm
import torch
from sklearn.metrics import f1_score
from torchvision import transforms
from torchvision.datasets import ImageFolder
from transformers import Trainer, TrainingArguments, set_seed

METRICS = ("loss", "accuracy", "macro_f1")


class Wrapped(torch.nn.Module):
    """A timm model with the inputs and outputs that a Trainer knows."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Logits, and the loss where labels are given."""
        logits = self.model(pixel_values)
        if labels is None:
            return {"logits": logits}
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


def collate(rows: list[tuple[torch.Tensor, int]]) -> dict[str, torch.Tensor]:
    """A batch of ImageFolder's rows."""
    return {"pixel_values": torch.stack([row[0] for row in rows]), "labels": torch.tensor([row[1] for row in rows])}


def metrics(prediction: Any) -> dict[str, float]:
    """Accuracy and macro-F1 of class ids."""
    best = prediction.predictions
    return {
        "accuracy": float((best == prediction.label_ids).mean()),
        "macro_f1": float(f1_score(prediction.label_ids, best, average="macro", zero_division=0.0)),
    }


def train(weights: str, data: Path, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Adapts EfficientNet-Lite0 to train/CLASS and val/CLASS, seed 42."""
    set_seed(42)
    model = timm.create_model("tf_efficientnet_lite0", num_classes=len(ImageFolder(str(data / "train")).classes))
    own = model.state_dict()
    published = torch.load(weights, map_location="cpu", weights_only=True)
    pairs = zip(own, published.values(), strict=True)
    model.load_state_dict({k: v for k, v in pairs if own[k].shape == v.shape}, strict=False)
    config = timm.data.resolve_data_config(model=model)
    evaluate = timm.data.create_transform(**config, is_training=False)
    augment = transforms.Compose(
        [
            transforms.RandomResizedCrop(
                config["input_size"][1:], interpolation=transforms.InterpolationMode(config["interpolation"])
            ),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(config["mean"], config["std"]),
        ]
    )
    wrapped = Wrapped(model)
    if settings["last_layer"]:
        wrapped.requires_grad_(False)
        model.get_classifier().requires_grad_(True)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.train = lambda mode=True: None  # type: ignore[method-assign, assignment, misc, return-value]
                module.training = False
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=16,
        per_device_eval_batch_size=16,
        num_train_epochs=settings["epochs"],
        learning_rate=settings["lr"],
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_steps=1,
        dataloader_num_workers=settings["workers"],
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        seed=42,
        use_cpu=True,
        disable_tqdm=True,
        report_to=[],
    )
    trainer = Trainer(
        model=wrapped,
        args=arguments,
        data_collator=collate,
        train_dataset=ImageFolder(str(data / "train"), augment if settings["augmentation"] else evaluate),
        eval_dataset=ImageFolder(str(data / "val"), evaluate),
        compute_metrics=metrics,
        preprocess_logits_for_metrics=lambda logits, _: logits.argmax(dim=-1),
    )
    before = trainer.evaluate()
    set_seed(42)
    outcome = trainer.train()
    torch.save(model.state_dict(), folder / "model_state_dict.pt")
    history = trainer.state.log_history
    after = [entry for entry in history if "eval_loss" in entry][-1]
    return {
        "losses": [entry["loss"] for entry in history if "loss" in entry],
        "before": {name: before[f"eval_{name}"] for name in METRICS},
        "after": {name: after[f"eval_{name}"] for name in METRICS},
        "train_seconds": outcome.metrics["train_runtime"],
        "samples_per_second": outcome.metrics["train_samples_per_second"],
    }


def main() -> None:
    """The command line: weights, data, folder, and one JSON object of settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights")
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("settings", type=json.loads)
    given = parser.parse_args()
    print(json.dumps(train(given.weights, given.data, given.folder, given.settings)))


if __name__ == "__main__":
    main()
