"""The table of the libraries that image classifiers come from. Imports nothing heavy: parameters refer to it."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Library:
    """A library, and how a model is recognised as one of its own.

    Attributes:
        name: its value of FRAMEWORK.
        backend: "package.module:Class" of its `Backend`.
        config_key: the key of a model folder's config.json that no other library writes.
        hub_prefixes: beginnings of hub ids that belong to it; one that ends with a colon is not part of the id.
        names_architectures: whether a bare name, or a file of weights, means an architecture of this library.
    """

    name: str
    backend: str
    config_key: str
    hub_prefixes: tuple[str, ...] = ()
    names_architectures: bool = False


_BACKENDS = "adapt_vision_mm.image_classification.backends"

LIBRARIES = (
    Library(
        name="huggingface",
        backend=f"{_BACKENDS}.hugging_face.backend:HuggingFaceBackend",
        config_key="model_type",
    ),
    Library(
        name="timm",
        backend=f"{_BACKENDS}.timm.backend:TimmBackend",
        config_key="architecture",
        hub_prefixes=("timm/", "hf-hub:"),
        names_architectures=True,
    ),
)
"""The libraries. A hub id that nothing else decides on belongs to the first."""
