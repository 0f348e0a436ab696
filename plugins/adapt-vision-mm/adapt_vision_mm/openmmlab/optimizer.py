"""The optimizer of an mm run, as the `optim_wrapper` of an OpenMMLab config."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.plan import Plan
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.plugin.import_strings import is_import_string

if TYPE_CHECKING:
    from adapt_vision_mm.mm_params import MmParams

log = logging.getLogger(__name__)

_ADAM = ("betas", "eps")
_ADEMAMIX = ("betas", "beta3", "eps")
_BETA3 = 0.9999
"""The decay of AdEMAMix's slow average (Pagliardini et al. 2024, arXiv:2409.03137), as in transformers."""
_OPTIMIZERS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "adamw_torch": ("AdamW", {}, _ADAM),
    "adamw_torch_fused": ("AdamW", {"fused": True}, _ADAM),
    "sgd": ("SGD", {}, ()),
    "adafactor": ("Adafactor", {"relative_step": False, "scale_parameter": False}, ()),
    "adagrad": ("Adagrad", {}, ()),
    "rmsprop": ("RMSprop", {}, ()),
    "adamw_8bit": ("AdamW8bit", {}, _ADAM),
    "paged_adamw_32bit": ("PagedAdamW32bit", {}, _ADAM),
    "paged_adamw_8bit": ("PagedAdamW8bit", {}, _ADAM),
    "lion_8bit": ("Lion8bit", {}, ("betas",)),
    "lion_32bit": ("Lion32bit", {}, ("betas",)),
    "paged_lion_32bit": ("PagedLion32bit", {}, ("betas",)),
    "paged_lion_8bit": ("PagedLion8bit", {}, ("betas",)),
    "ademamix": ("AdEMAMix", {}, _ADEMAMIX),
    "ademamix_8bit": ("AdEMAMix8bit", {}, _ADEMAMIX),
    "paged_ademamix_32bit": ("PagedAdEMAMix", {}, _ADEMAMIX),
    "paged_ademamix_8bit": ("PagedAdEMAMix8bit", {}, _ADEMAMIX),
}
"""OPTIMIZER -> (class in mmengine's registry, fixed arguments, which Adam parameters it takes).

AdEMAMix, not AdEMAMix32bit: bitsandbytes allocates only half of the state that the update of the latter reads.
"""


def mixed_precision(plan: Plan[MmParams]) -> str | None:
    """Return "float16", "bfloat16" or None. `amp` is an alias of FP16, and BF16 has precedence over both."""
    if plan.training.bf16:
        return "bfloat16"
    return "float16" if plan.training.fp16 or plan.task.params.amp else None


def refuse_impossible_amp(plan: Plan[MmParams], device: str) -> None:
    """Refuse `amp` on a CPU, as core refuses FP16 there.

    Raises:
        InputError: float16 cannot train on this device.
    """
    if mixed_precision(plan) == "float16" and not device.startswith("cuda"):
        raise InputError(
            "amp: float16 mixed precision needs a GPU, and this run is on the CPU. Set amp: false, or BF16: true where "
            "the processor has bfloat16 instructions (adapt check says)."
        )


def learning_rate(plan: Plan[MmParams], base_batch_size: int | None, processes: int) -> float:
    """Return LR, scaled by the batch size if auto_scale_lr is set.

    Raises:
        InputError: auto_scale_lr is set, and the config has no batch size that it was made for.
    """
    training = plan.training
    if not plan.task.params.auto_scale_lr:
        return training.lr
    if not base_batch_size:
        raise InputError(
            "auto_scale_lr: this config has no batch size (auto_scale_lr.base_batch_size). Set auto_scale_lr: false."
        )
    batch = training.rows_per_step * processes
    scaled = training.lr * batch / base_batch_size
    log.info("auto_scale_lr: LR %g x %d / %d = %g", training.lr, batch, base_batch_size, scaled)
    return scaled


def optim_wrapper(
    plan: Plan[MmParams],
    base: Mapping[str, Any] | None,
    world: World,
    base_batch_size: int | None,
    rate_factors: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the `optim_wrapper` of a run.

    Args:
        plan: OPTIMIZER and its parameters, MAX_GRAD_NORM, GRADIENT_ACCUMULATION_STEPS, FP16, BF16, amp.
        base: the config's own, of which only `paramwise_cfg` is kept (such as a smaller rate for the backbone).
        world: the processes of the run.
        base_batch_size: the batch size that the config's learning rate was made for.
        rate_factors: see `Job.rate_factors`.
    """
    training = plan.training
    optimizer = _optimizer(training, learning_rate(plan, base_batch_size, world.size))
    paramwise = dict((base or {}).get("paramwise_cfg") or {})
    made: dict[str, Any] = {
        "type": "OptimWrapper",
        "constructor": "MatrixDecayConstructor",
        "optimizer": optimizer,
        "accumulative_counts": training.gradient_accumulation_steps,
        "clip_grad": {"max_norm": training.max_grad_norm} if training.max_grad_norm else None,
        "paramwise_cfg": {**paramwise, "bypass_duplicate": True, "rate_factors": list(rate_factors.items())},
    }
    precision = mixed_precision(plan)
    if precision == "float16":
        made |= {"type": "AmpOptimWrapper", "dtype": precision}
    elif precision == "bfloat16":
        made |= {"type": "AutocastOptimWrapper", "device": world.device.partition(":")[0]}
    return made


def _optimizer(training: TrainingParams, lr: float) -> dict[str, Any]:
    """Return mmengine's config of OPTIMIZER."""
    if is_import_string(training.optimizer):
        from adapt_vision_mm.openmmlab.named import registered_optimizer

        return registered_optimizer(training, lr)
    name, fixed, takes = _OPTIMIZERS[training.optimizer]
    optimizer: dict[str, Any] = {"type": name, "lr": lr, "weight_decay": training.weight_decay, **fixed}
    if "betas" in takes:
        optimizer["betas"] = (training.beta1, training.beta2, *([_BETA3] if "beta3" in takes else []))
    if "eps" in takes:
        optimizer["eps"] = training.adam_eps
    return optimizer
