"""One training step, and the bytes of its tensors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from adapt_core.config.plan import Plan
from adapt_core.estimate.activations import Kept, Recomputed


def storages(tensors: Any) -> dict[int, int]:
    """Return the bytes of each storage, counting each once."""
    return {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors if isinstance(t, torch.Tensor)}


def statistics(model: Any) -> list[Any]:
    """Return the statistics tensors of quantized weights."""
    found = []
    for tensor in model.parameters():
        state = getattr(tensor, "quant_state", None)
        if state is not None:
            nested = [state.state2.absmax, state.state2.code, state.offset] if state.nested else []
            found += [state.absmax, *nested]
        found.append(getattr(tensor, "SCB", None))
    return found


def step(plan: Plan, task: Any, data: Any, model: Any, device: str) -> dict[str, int]:
    """Return the bytes of weights, gradients, optimizer state and saved activations in one step on one batch.

    Args:
        plan, task, data: of the run.
        model: loaded, with the method attached.
        device: where it trains.
    """
    model.train().to(device)
    own = storages([*model.parameters(), *model.buffers(), *statistics(model)])
    kept = Kept(set(own))
    recomputed = Recomputed.of(plan.training)
    prepared = (_detector_loss if plan.loop == "mm" else _loss)(plan, task, data, model, device)
    with kept.counting(model, recomputed), _recomputed(plan, model, plan.training.gradient_checkpointing):
        loss = prepared()
    activations = kept.bytes
    loss.backward()
    gradients = storages(parameter.grad for parameter in model.parameters())
    optimizer = _optimizer(plan, model, device)
    optimizer.step()
    states = storages(value for held in optimizer.state.values() for value in held.values())
    real = {"weights": own, "gradients": gradients, "optimizer": states}
    return {**{name: sum(found.values()) for name, found in real.items()}, "activations": activations}


def _recomputed(plan: Plan, model: Any, wanted: bool) -> AbstractContextManager[None]:
    if plan.loop != "mm":
        return nullcontext()
    from adapt_vision_mm.openmmlab.activation_checkpointing import checkpointed_activations

    return checkpointed_activations(model, enabled=wanted)


def _loss(plan: Plan, task: Any, data: Any, model: Any, device: str) -> Callable[[], torch.Tensor]:
    batch = {name: value.to(device) for name, value in task.largest_batch(data).items()}

    def loss() -> torch.Tensor:
        output = model(**batch)
        if isinstance(output, torch.Tensor):  # timm's models return logits
            return torch.nn.functional.cross_entropy(output, torch.zeros(len(output), dtype=torch.long, device=device))
        found: torch.Tensor = output.loss
        return found

    return loss


def _detector_loss(plan: Plan, task: Any, data: Any, model: Any, device: str) -> Callable[[], torch.Tensor]:
    from mmengine.dataset import pseudo_collate

    batch = pseudo_collate([data.train[row] for row in range(plan.training.batch_size)])

    def loss() -> torch.Tensor:
        losses = model._run_forward(model.data_preprocessor(batch, True), mode="loss")
        found: torch.Tensor = model.parse_losses(losses)[0]
        return found

    return loss


def _optimizer(plan: Plan, model: Any, device: str) -> Any:
    if plan.loop == "mm":
        from mmengine.optim import build_optim_wrapper

        from adapt_core.distributed.world import World

        from adapt_vision_mm.openmmlab.optimizer import optim_wrapper

        return build_optim_wrapper(model, optim_wrapper(plan, None, World(device=device), None)).optimizer
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments("unused", optim=plan.training.optimizer, use_cpu=device == "cpu", report_to=[])
    return Trainer(model=model, args=arguments).create_optimizer()
