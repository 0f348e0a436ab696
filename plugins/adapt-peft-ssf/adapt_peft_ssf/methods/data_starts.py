"""Starts of LoRA that peft computes from training data: EVA, CorDA and LoRA-GA.

The adapter is attached with peft's plain start first; here the layers get their own, by peft's functions. The batches
are passed over once, in evaluation mode, with the adapter switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.corda import collect_eigens_for_layer
from peft.tuners.lora.eva import initialize_lora_eva_weights
from peft.utils.incremental_pca import IncrementalPCA
from torch import nn
from transformers.pytorch_utils import Conv1D

from adapt_core.errors import InputError
from adapt_core.nn.modes import evaluation_mode

from adapt_peft_ssf.methods.peft_models import ADAPTER

Batches = Sequence[Mapping[str, Any]]
Layers = dict[str, LoraLayer]

_MASKED = -100


def linear_layers(model: nn.Module) -> Layers:
    """Return the adapted layers that these starts are made for, by full name: Linear and Conv1D, quantized or not."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer) and isinstance(module.get_base_layer(), (nn.Linear, Conv1D))
    }


def start_by_variance(model: nn.Module, config: LoraConfig, batches: Batches) -> None:
    """Start A with the directions in which a layer's inputs vary most, and share out the ranks (EVA).

    EVA (Paischer et al., 2024, arXiv:2410.07170) looks at batches until its directions stay; here they are those of the
    given batches. A layer that sees fewer inputs than it needs directions keeps the plain start.
    """
    eva = config.eva_config
    assert eva is not None
    layers = linear_layers(model)
    most = {name: min(round(layer.r[ADAPTER] * eva.rho), layer.in_features) for name, layer in layers.items()}
    found = {name: IncrementalPCA(n_components=count) for name, count in most.items()}
    waiting: dict[str, list[torch.Tensor]] = {name: [] for name in layers}

    def see(name: str, inputs: torch.Tensor) -> None:
        waiting[name].append(inputs.float())
        if sum(map(len, waiting[name])) >= most[name]:  # it takes no fewer rows than it has components
            found[name].partial_fit(torch.cat(waiting[name]))
            waiting[name] = []

    mask_labels = eva.label_mask_value if eva.use_label_mask else None
    _pass_over(model, layers, batches, see, mask_labels)
    ready = {name: pca for name, pca in found.items() if hasattr(pca, "components_")}
    if not ready:
        raise InputError(
            "init_lora_weights: eva needs more inputs than it has directions (r, times rho). Raise start_rows, or "
            "lower r."
        )
    ranks = _shared_out(ready, sum(layers[name].r[ADAPTER] for name in ready))
    state = {}
    for name, pca in ready.items():
        directions = pca.components_[: ranks[name]]
        if eva.whiten:
            directions = directions / pca.singular_values_[: ranks[name]].sqrt().reshape(-1, 1)
        state[name] = directions
    config.init_lora_weights = "eva"
    initialize_lora_eva_weights(model, eva_state_dict=state)


def _shared_out(found: Mapping[str, Any], budget: int) -> dict[str, int]:
    """Return the rank of each layer: the directions that explain most of their layer, over all layers, get one each."""
    owners = [name for name, pca in found.items() for _ in pca.explained_variance_ratio_]
    shares = torch.cat([pca.explained_variance_ratio_ for pca in found.values()])
    ranks = dict.fromkeys(found, 0)
    for place in shares.argsort(descending=True, stable=True)[:budget].tolist():
        ranks[owners[place]] += 1
    return ranks


def start_by_covariance(model: nn.Module, config: LoraConfig, batches: Batches) -> None:
    """Start with the parts of the weights that the inputs' covariance makes most of, or least (CorDA).

    CorDA (Yang et al., 2024, arXiv:2406.05223); `corda_method` ipm takes the most, kpm the least important parts.
    """
    assert config.corda_config is not None
    layers = linear_layers(model)
    covariances: dict[str, torch.Tensor] = {}

    def see(name: str, inputs: torch.Tensor) -> None:
        scaled = inputs.float() / inputs.abs().max()
        covariances[name] = covariances.get(name, 0) + scaled.T @ scaled

    _pass_over(model, layers, batches, see, None)
    keep_last = config.corda_config.corda_method == "kpm"
    config.init_lora_weights = "corda"
    for name, layer in layers.items():
        if name not in covariances:
            continue
        base, rank = layer.get_base_layer(), layer.r[ADAPTER]
        _require_rank(name, base, rank, "corda")
        base.covariance_matrix = covariances.pop(name) / len(batches)
        eigens = collect_eigens_for_layer(base, config)
        del base.covariance_matrix
        part = slice(-rank, None) if keep_last else slice(rank)
        device = base.weight.device
        eigens.S_WC = eigens.S_WC[part].clone()
        eigens.U_WC, eigens.V_WC = (m[:, part].clone().to(device) for m in (eigens.U_WC, eigens.V_WC))
        base.eigens = eigens
        _start_anew(layer, config)


def start_by_gradient(model: nn.Module, config: LoraConfig, batches: Batches) -> None:
    """Start with the directions of the gradients of the weights (LoRA-GA; Wang et al., 2024, arXiv:2407.05000)."""
    layers = linear_layers(model)
    weights = {name: layer.get_base_layer().weight for name, layer in layers.items()}
    for name, layer in layers.items():
        _require_rank(name, layer.get_base_layer(), 2 * layer.r[ADAPTER], "lora_ga (2 r)")
    held = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    for parameter, _ in held:
        parameter.requires_grad_(False)
    for weight in weights.values():
        weight.requires_grad_(True)
    try:
        with evaluation_mode(model), adapter_off(model), torch.enable_grad():
            for batch in batches:
                outputs = model(**_on_device(batch, model))
                loss = outputs.get("loss") if isinstance(outputs, Mapping) else None
                if loss is None:
                    raise InputError(
                        "init_lora_weights: lora_ga needs a model that computes its loss, which this one does not. "
                        "Use eva or corda, or a start without data."
                    )
                loss.backward()
        gradients = {name: weight.grad for name, weight in weights.items() if weight.grad is not None}
    finally:
        for parameter, required in held:
            parameter.requires_grad_(required)
            parameter.grad = None
    config.init_lora_weights = "lora_ga"
    for name, gradient in gradients.items():
        base = layers[name].get_base_layer()
        base._peft_loraga_grad = gradient / len(batches)
        _start_anew(layers[name], config)  # it takes the gradient away


def _start_anew(layer: LoraLayer, config: LoraConfig) -> None:
    layer.update_layer(ADAPTER, r=layer.r[ADAPTER], lora_alpha=layer.lora_alpha[ADAPTER], config=config)


def _require_rank(name: str, base: nn.Linear | Conv1D, rank: int, start: str) -> None:
    if rank > min(base.weight.shape):
        raise InputError(
            f"init_lora_weights: {start} needs {rank} directions, and {name.removeprefix('base_model.model.')} has "
            f"{min(base.weight.shape)}. Lower r, or give the layer its own in rank_pattern."
        )


@contextmanager
def adapter_off(model: nn.Module) -> Iterator[None]:
    """Switch every layer of an attached model to its base, without touching what requires a gradient."""
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    for layer in layers:
        layer._disable_adapters = True
    try:
        yield
    finally:
        for layer in layers:
            layer._disable_adapters = False


def _pass_over(
    model: nn.Module,
    layers: Layers,
    batches: Batches,
    see: Callable[[str, torch.Tensor], None],
    ignored_label: int | None,
) -> None:
    """Show the inputs of each layer, (vectors, features), padding left out.

    Args:
        model: the attached model.
        layers: whose inputs are shown.
        batches: of the training data.
        see: gets the name of a layer and its inputs of one batch.
        ignored_label: leaves out tokens of that label too, where there are any others; None for all tokens.
    """
    masks: list[torch.Tensor] = []

    def hook(name: str) -> Callable[..., None]:
        def call(_: nn.Module, arguments: tuple[Any, ...], __: object) -> None:
            inputs = arguments[0].detach()
            mask = next((mask for mask in masks if mask.shape == inputs.shape[:-1]), None)
            see(name, inputs.flatten(0, -2) if mask is None else inputs[mask])

        return call

    handles = [layer.get_base_layer().register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        with evaluation_mode(model), adapter_off(model), torch.no_grad():
            for batch in batches:
                given = _on_device(batch, model)
                masks[:] = _masks(given, ignored_label)
                model(**given)
    finally:
        for handle in handles:
            handle.remove()


def _masks(batch: Mapping[str, Any], ignored_label: int | None) -> list[torch.Tensor]:
    """Return which tokens count, of the encoder's or only sequence and of the decoder's."""
    attended, labels = batch.get("attention_mask"), batch.get("labels")
    masks = [] if attended is None else [attended.bool()]
    if labels is None or labels.ndim < 2 or labels.is_floating_point():
        return masks
    labelled = labels != (_MASKED if ignored_label is None else ignored_label)
    if masks and labelled.shape == masks[0].shape:
        both = masks[0] & labelled
        return [both] if ignored_label is not None and both.any() else masks
    return [*masks, labelled]


def _on_device(batch: Mapping[str, Any], model: nn.Module) -> dict[str, Any]:
    device = next(model.parameters()).device
    return {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
