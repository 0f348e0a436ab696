"""Specs of tests' own plugins: registered in memory where no wheel is needed to make the point."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs

from adapt_core import builtin
from adapt_core.hf import HF_LOOP
from adapt_core.plugin.params import param
from adapt_core.plugin.registry import Provenance, Registry
from adapt_core.plugin.specs import LauncherSpec, MethodSpec, QuantizerSpec, TaskSpec, hookimpl


@attrs.frozen
class WordsParams:
    """Parameters of a task of the tests'."""

    subtask: str | None = param(None, "Which words.")
    depth: int = param(3, "How deep.", ge=1, le=9)
    options: dict[str, object] | None = param(None, "Anything.", key="cfg_options")
    palette: tuple[tuple[int, ...], ...] = param((), "Colours.")


@attrs.frozen
class RankParams:
    """Parameters of a method of the tests'."""

    r: int = param(8, "Rank.", ge=1)
    alpha: int = param(16, "Scale.")
    dropout: float = param(0.1, "Dropout.", ge=0, lt=1)


@attrs.frozen
class OtherRankParams:
    """As RankParams, with other defaults."""

    r: int = param(16, "Rank.", ge=1)
    alpha: int = param(8, "Scale.")


@attrs.frozen
class FourBitParams:
    """Parameters of a quantizer of the tests'."""

    load_in_4bit: bool = param(False, "On.", on=True)
    quant_type: str = param("nf4", "Kind.", key="bnb_4bit_quant_type", choices=("nf4", "fp4"))


@attrs.frozen
class EightBitParams:
    """Parameters of another quantizer."""

    load_in_8bit: bool = param(False, "On.", on=True)
    threshold: float = param(6.0, "Threshold.", key="llm_int8_threshold")


@attrs.frozen
class DDPParams:
    """Parameters of a launcher of the tests'."""

    ddp: bool = param(False, "On.", key="DDP", on=True)
    num_nodes: int = param(1, "Machines.", ge=1)


@attrs.frozen
class FSDPParams:
    """Parameters of another launcher."""

    fsdp: bool = param(False, "On.", key="FSDP", on=True)


def task(name: str = "words", **changes: Any) -> TaskSpec:
    """A task spec."""
    settings: dict[str, Any] = {
        "summary": "a task of the tests",
        "implementation": "tests_only:Words",
        "params": WordsParams,
        "loop": HF_LOOP,
        "metrics": {"accuracy": "higher"},
        "core_defaults": {"MAX_TRAIN_SAMPLES": 1000},
        **changes,
    }
    return TaskSpec(name=name, **settings)


def plugin(**hooks: Any) -> Any:
    """A plugin object whose hooks return (or raise) what is given."""

    def hook(name: str, answer: Any) -> Any:
        def function() -> Any:
            if isinstance(answer, BaseException):
                raise answer
            return answer

        function.__name__ = name
        return hookimpl(function)

    return SimpleNamespace(**{name: hook(name, answer) for name, answer in hooks.items()})


ALL_HOOKS = {
    "adapt_tasks": [
        task(),
        task("text_classification", pipeline=lambda params: f"{'token' if params.subtask else 'text'}-classification"),
        task("text_generation"),
        task("question_answering", pipeline="question-answering", library="transformers"),
        *(task(name) for name in ("summarization", "translation", "image_classification")),
    ],
    "adapt_methods": [
        MethodSpec(name="LoRA", summary="", implementation="tests_only:LoRA", params=RankParams),
        MethodSpec(name="DoRA", summary="", implementation="tests_only:DoRA", params=OtherRankParams),
    ],
    "adapt_quantizers": [
        QuantizerSpec(
            name="bnb_4bit", summary="", implementation="x:Y", params=FourBitParams, switch="load_in_4bit", bits=4
        ),
        QuantizerSpec(
            name="bnb_8bit", summary="", implementation="x:Y", params=EightBitParams, switch="load_in_8bit", bits=8
        ),
    ],
    "adapt_launchers": [
        LauncherSpec(
            name="ddp",
            summary="",
            implementation="x:Y",
            params=DDPParams,
            switch="DDP",
            loops=frozenset({"hf"}),
        ),
        LauncherSpec(
            name="fsdp", summary="", implementation="x:Y", params=FSDPParams, switch="FSDP", shards_layers=True
        ),
    ],
}


def registry(**hooks: Any) -> Registry:
    """A registry with core's built-ins and one plugin of the given hooks."""
    made = Registry()
    made.add(builtin, Provenance("core", "adapt-core", "1.0"))
    if hooks:
        made.add(plugin(**hooks), Provenance("tests", "adapt-tests", "2.0"))
    return made


def registry_with_all() -> Registry:
    """A registry with tasks, methods, quantizers and launchers of every kind."""
    return registry(**ALL_HOOKS)
