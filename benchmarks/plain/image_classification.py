"""Image classification by timm and transformers' Trainer alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from sklearn.metrics import f1_score
from torchvision import transforms
from torchvision.datasets import ImageFolder
from transformers import Trainer, TrainingArguments, set_seed

from benchmarks.plain.phases import SEED, command_line, common_arguments, evaluated_and_trained

METRICS = ("loss", "accuracy", "macro_f1")


class Wrapped(torch.nn.Module):
    """A timm model with the inputs and outputs of a Trainer's model."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Return the logits, and the loss if labels are given."""
        logits = self.model(pixel_values)
        if labels is None:
            return {"logits": logits}
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


def collate(rows: list[tuple[torch.Tensor, int]]) -> dict[str, torch.Tensor]:
    """Return a batch of ImageFolder's rows."""
    return {"pixel_values": torch.stack([row[0] for row in rows]), "labels": torch.tensor([row[1] for row in rows])}


def metrics(prediction: Any) -> dict[str, float]:
    """Return accuracy and macro-F1 of class ids."""
    best = prediction.predictions
    return {
        "accuracy": float((best == prediction.label_ids).mean()),
        "macro_f1": float(f1_score(prediction.label_ids, best, average="macro", zero_division=0.0)),
    }


def train(
    weights: str,
    data: Path,
    folder: Path,
    *,
    epochs: float,
    lr: float,
    workers: int = 0,
    augmentation: bool = False,
    last_layer: bool = False,
) -> dict[str, Any]:
    """Fine-tune EfficientNet-Lite0 with these weights on train/CLASS and val/CLASS, seed 42."""
    set_seed(SEED)
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
    if last_layer:
        wrapped.requires_grad_(False)
        model.get_classifier().requires_grad_(True)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.train = lambda mode=True: None  # type: ignore[method-assign, assignment, misc, return-value]
                module.training = False
    arguments = TrainingArguments(
        **common_arguments(folder, epochs=epochs, lr=lr, batch_size=16, logging_steps=1),
        dataloader_num_workers=workers,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )

    def make_trainer() -> Trainer:
        return Trainer(
            model=wrapped,
            args=arguments,
            data_collator=collate,
            train_dataset=ImageFolder(str(data / "train"), augment if augmentation else evaluate),
            eval_dataset=ImageFolder(str(data / "val"), evaluate),
            compute_metrics=metrics,
            preprocess_logits_for_metrics=lambda logits, _: logits.argmax(dim=-1),
        )

    return evaluated_and_trained(make_trainer, folder, METRICS)


if __name__ == "__main__":
    command_line(train)
