"""The Trainer of question answering: the loss of a window does not depend on the windows beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase, Trainer

if TYPE_CHECKING:
    from torch import nn

POSITIONS = ("start_positions", "end_positions")


class AnswerTrainer(Trainer):
    """A Trainer whose softmax over the tokens of a window leaves out its padding.

    The models' own loss takes it over all positions of a batch: a window's loss and gradient then depend on the
    longest window of its batch, and an evaluation's loss on EVAL_BATCH_SIZE.
    """

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the mean over the batch's windows of the cross-entropy of start and end, halved."""
        outputs = model(**{name: tensor for name, tensor in inputs.items() if name not in POSITIONS})
        is_padding = self._padding(inputs)
        losses = []
        for logits, name in zip((outputs.start_logits, outputs.end_logits), POSITIONS, strict=True):
            scores = logits.float().masked_fill(is_padding, torch.finfo(torch.float32).min)
            losses.append(cross_entropy(scores, inputs[name]))
        loss = torch.stack(losses).mean()
        return (loss, outputs) if return_outputs else loss

    def _padding(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        if "attention_mask" in inputs:
            return inputs["attention_mask"].eq(0)
        tokenizer = self.processing_class
        assert isinstance(tokenizer, PreTrainedTokenizerBase)
        return inputs["input_ids"].eq(tokenizer.pad_token_id)
