"""The structure of a model, read from the model itself: its head, its blocks, its last layers.

No list of model names: a Hugging Face model says what its base is, and every deep network repeats a block.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable

from torch import nn

from adapt_core.errors import InputError


def find_head(model: nn.Module) -> tuple[str, ...]:
    """Return full names of the modules that make up a model's head, in order of registration.

    Looked for in this order:
        1. timm: what `get_classifier()` returns.
        2. Hugging Face: what is next to the base model (`base_model_prefix`) and holds parameters.
        3. Hugging Face without such a base: the output embeddings (a language-model head).
        4. Any module: the last registered leaf that has parameters.
    """
    names = {id(module): name for name, module in model.named_modules()}
    classifier = getattr(model, "get_classifier", None)
    if callable(classifier):
        found = classifier()
        modules = found if isinstance(found, (tuple, list)) else [found]
        named = tuple(
            names[id(m)] for m in modules if isinstance(m, nn.Module) and names.get(id(m)) and has_parameters(m)
        )
        if named:
            return named
    base = getattr(model, "base_model", None)
    if isinstance(base, nn.Module) and base is not model:
        beside = tuple(name for name, child in model.named_children() if child is not base and has_parameters(child))
        if beside:
            return beside
    output = getattr(model, "get_output_embeddings", None)
    embedding = output() if callable(output) else None
    if isinstance(embedding, nn.Module) and id(embedding) in names:
        return (names[id(embedding)],)
    leaves = [name for name, module in model.named_modules() if not list(module.children()) and has_parameters(module)]
    return tuple(leaves[-1:])


def has_parameters(module: nn.Module) -> bool:
    """Return whether a module or one inside it has a parameter."""
    return any(True for _ in module.parameters())


def blocks(model: nn.Module, head: Iterable[str] = ()) -> list[str]:
    """Return full names of a model's blocks outside the head, in the order of definition, which is that of the forward.

    Blocks are the like modules that a network applies one after the other: the layers of a transformer, an encoder's
    before a decoder's; the residual blocks of all stages of a convolutional network. A stage is not one itself. Empty
    where nothing repeats.
    """
    heads = tuple(head)

    def below(name: str, module: nn.Module) -> list[str]:
        """Return the blocks inside a module that is none."""
        children = [(full, child) for full, child in _children(name, module) if not inside(full, heads)]
        if isinstance(module, _SERIES):
            return [block for full, child in children for block in _unrolled(full, child)]
        kinds = Counter(type(child) for _, child in children if _is_deep(child))
        found: list[str] = []
        for full, child in children:
            inner = below(full, child)
            if not inner and kinds[type(child)] > 1 and not isinstance(child, _SERIES):
                inner = [full]  # like modules side by side, as attributes (RegNet, Inception)
            found += inner
        return found

    return below("", model)


_SERIES = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def _children(name: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [
        (f"{name}.{key}" if name else key, child) for key, child in module.named_children() if has_parameters(child)
    ]


def _unrolled(name: str, module: nn.Module) -> list[str]:
    """Return the blocks of a module in a series: those of its own series if it is a stage, else the module itself."""
    children = _children(name, module)
    if isinstance(module, _SERIES):
        inner = children if any(_is_deep(child) for _, child in children) else []
    else:
        lists = [(full, child) for full, child in children if _is_list_of_blocks(child)]
        # A stage is little more than its list; of a MobileBERT layer, less than half is in that of its feed-forwards.
        is_stage = 2 * sum(_matrices(child) for _, child in lists) > _matrices(module)
        inner = lists if is_stage else []
    if inner:
        return [block for full, child in inner for block in _unrolled(full, child)]
    return [name] if _is_deep(module) else []


def _is_list_of_blocks(module: nn.Module) -> bool:
    """Return whether a kind repeats; the attention and the feed-forward in the list of a T5 block differ."""
    members = [child for _, child in _children("", module)]
    kinds = {type(child) for child in members}
    return isinstance(module, _SERIES) and 0 < len(kinds) < max(2, len(members)) and all(map(_is_deep, members))


def _is_deep(module: nn.Module) -> bool:
    """Return whether a module has several matrices: a convolution with its norm is a layer of a block, not a block."""
    return _matrices(module) > 1


def _matrices(module: nn.Module) -> int:
    return sum(parameter.ndim > 1 for parameter in module.parameters())


def last_layers(model: nn.Module, head: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return full names of the modules that make up the last `count` layers: the head, then blocks from the end.

    Modules between the last block and the head (a final norm, a pooler) belong to the blocks' side: they are
    included as soon as one block is.

    Raises:
        InputError: the model has fewer layers.
    """
    if count == 1:
        return head
    repeated = blocks(model, head)
    if count - 1 > len(repeated):
        raise InputError(
            f"LAST_LAYERS: {count} asks for more layers than {type(model).__name__} has: "
            f"the head and {len(repeated)} blocks ({repeated[0] if repeated else 'none found'} ...)."
            " Lower it."
        )
    chosen = repeated[len(repeated) - (count - 1) :]
    order = [
        name
        for name, module in model.named_modules()
        if name and not list(module.children()) and has_parameters(module)
    ]
    last = max(i for i, name in enumerate(order) if name.startswith(f"{repeated[-1]}."))
    behind = [name for name in order[last + 1 :] if not inside(name, head)]
    return (*chosen, *behind, *head)


def full_precision_modules(head: Iterable[str], new_parameters: Iterable[str]) -> tuple[str, ...]:
    """Return full names of the modules that are not quantized with a base: its head, and the owners of new parameters.

    A parameter that the checkpoint does not have starts from random values and trains, which codes cannot.
    """
    owners = (name.rpartition(".")[0] for name in sorted(new_parameters))
    return tuple(dict.fromkeys([*head, *(owner for owner in owners if owner)]))


def inside(name: str, modules: Iterable[str]) -> bool:
    """Return whether a full name is that of one of these modules or of something in them."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def untie_head(model: nn.Module, head: Iterable[str]) -> list[str]:
    """Give each head module that shares a parameter with the rest of the model one of its own.

    Other ties (an encoder's and a decoder's embeddings) stay. Where the head's was a model's only one, its config then
    says `tie_word_embeddings: false`; elsewhere transformers recognises an untied head by its weight in the checkpoint.

    Returns:
        the names of the heads that were untied.
    """
    heads = tuple(head)
    outside = {
        id(parameter)
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if not inside(name.rpartition(".")[0], heads)
    }
    untied: dict[str, set[str]] = {}
    for name in heads:
        for inner, owner in model.get_submodule(name).named_modules(prefix=name):
            for key, parameter in list(owner._parameters.items()):
                if parameter is not None and id(parameter) in outside:
                    owner._parameters[key] = nn.Parameter(copy.deepcopy(parameter.detach()))
                    untied.setdefault(name, set()).add(f"{inner}.{key}")
    for name, parameters in untied.items():
        _forget_ties(model, name, parameters)
    return list(untied)


def _forget_ties(model: nn.Module, head: str, parameters: set[str]) -> None:
    """Take parameters of a head out of the ties that the Hugging Face models around it declare."""
    for prefix, module in model.named_modules():
        inside = f"{prefix}." if prefix else ""
        if not head.startswith(inside) or not hasattr(module, "_tied_weights_keys"):
            continue
        own = {name.removeprefix(inside) for name in parameters}
        left: object = None
        for attribute in ("_tied_weights_keys", "all_tied_weights_keys"):
            ties = getattr(module, attribute, None)
            if isinstance(ties, dict):
                left = {name: to for name, to in ties.items() if name not in own and to not in own}
                vars(module)[attribute] = left
            elif ties is not None:
                vars(module)[attribute] = None
        config = getattr(module, "config", None)
        if not left and config is not None:
            config.tie_word_embeddings = False
