"""What every task on a language model shares: the model's place, its tokenizer, checks, batches, saving, loading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from adapt_core.config.plan import ParamsT, Plan
from adapt_core.contracts import LoadedModel, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.hf.data.columns import format_columns
from adapt_core.hf.data.source import check_data_source
from adapt_core.hf.models.attention import attention_options, class_of
from adapt_core.hf.models.gguf import check_gguf, converted
from adapt_core.hf.models.hub import HubUpload
from adapt_core.hf.models.location import TOKENIZER_FILES, ModelSource, locate
from adapt_core.hf.models.pretrained import check_source, load_companion, load_pretrained
from adapt_core.hf.models.tokenizers import load_tokenizer
from adapt_core.hf.tasks.inputs import read_texts
from adapt_core.hf.tasks.preview import example_tokens, longest_batch, spread_examples

if TYPE_CHECKING:
    from torch import nn


class LanguageTask(HubUpload, Generic[ParamsT]):
    """Base of the tasks on a language model. Its params derive from `adapt_core.hf.tasks.params.TextParams`.

    A task adds `load_data`, `load_model`, `make_loop`, `loading_lines` and `predict`, and whatever it does otherwise.

    Attributes:
        auto_class: the transformers Auto class of the task's models.
        head_names: modules that stay unquantized where the base is quantized.
    """

    auto_class: ClassVar[str]
    head_names: ClassVar[tuple[str, ...]]

    def __init__(self, plan: Plan[ParamsT]) -> None:
        self.plan = plan

    def check(self) -> None:
        """Data and model are there, and FORMAT_STRING can be read."""
        format_columns(self.plan.data)
        check_data_source(self.plan.data)
        given = locate(self.plan)
        check_gguf(given)
        check_source(given, TOKENIZER_FILES, "tokenizer")

    def require_metric(self, reported: Sequence[str]) -> None:
        """Sees that METRIC_FOR_BEST is among the metrics that this variant of the task reports.

        Raises:
            InputError: it is not.
        """
        wanted = self.plan.training.metric_for_best
        known = ("loss", *reported)
        if wanted is not None and wanted.removeprefix("eval_").casefold() not in {name.casefold() for name in known}:
            raise InputError(f"METRIC_FOR_BEST: this run reports {', '.join(known)}; not {wanted!r}.")

    @cached_property
    def source(self) -> ModelSource:
        """The model's place; a GGUF file is converted into a folder first."""
        return converted(locate(self.plan))

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, with a padding token."""
        return load_tokenizer(self.source, self.plan)

    @cached_property
    def config(self) -> Any:
        """The model's config."""
        from transformers import AutoConfig

        return load_companion(AutoConfig.from_pretrained, self.source, self.plan)

    def load_base(self, options: dict[str, Any], quantizer: Quantizer | None, world: World) -> LoadedModel:
        """The model by the task's Auto class, quantized and with flash attention where asked for."""
        import transformers

        auto_class = getattr(transformers, self.auto_class)
        options = {**options, **attention_options(self.plan, world, lambda: class_of(auto_class, self.config))}
        if world.device == "meta":
            options["device_map"] = {"": "meta"}
        if quantizer is not None:
            options.update(quantizer.hf_options(self.head_names, world.device))
        loaded = load_pretrained(auto_class, self.source, self.plan, options)
        config: Any = loaded.model.config
        if getattr(config, "pad_token_id", None) is None:
            config.pad_token_id = self.tokenizer.pad_token_id
        return loaded

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """The task's model; see `adapt_core.contracts.Task`."""
        raise NotImplementedError

    def load_structure(self, data: TaskData) -> LoadedModel:
        """The model that `load_model` would load, without its weights."""
        return self.load_model(data, None, World(device="meta"))

    @property
    def collator(self) -> Any:
        """What makes a batch of examples: padded to the longest. A task with labels for each token has its own."""
        from transformers import DataCollatorWithPadding

        return DataCollatorWithPadding(self.tokenizer)

    def largest_batch(self, data: TaskData) -> Mapping[str, Any]:
        """The longest training examples, padded."""
        return longest_batch(data, self.collator, self.plan.training.batch_size)

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """The tokens of a few training examples, without labels."""
        return [
            [(token, "") for token in example_tokens(self.tokenizer, example)]
            for example in spread_examples(data, count)
        ]

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """A task without classes."""
        return {}

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """What stands beside the base model, or a language model's output layer."""
        from adapt_core.nn.structure import find_head

        return find_head(model)

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """A task's own head trains beside an adapter."""
        return True

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Weights, model config and tokenizer."""
        from adapt_core.hf.models.save_formats import save_hf_model

        save_hf_model(model, self.tokenizer, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        """The model that `save_model` wrote."""
        import transformers

        from adapt_core.hf.models.save_formats import load_hf_model

        model: nn.Module = load_hf_model(getattr(transformers, self.auto_class), folder)
        return model

    def loading_with(self, use: Sequence[str], save_method: str) -> str:
        """Lines that load model and tokenizer, and then the task's own."""
        from adapt_core.hf.models.save_formats import loading_lines

        return "\n".join([loading_lines(self.auto_class, "AutoTokenizer", "tokenizer", save_method), *use])

    def saved_tokenizer(self, folder: Path) -> Any:
        """The tokenizer of a `model/` folder, or the base model's where there is none."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True) if folder.is_dir() else self.tokenizer

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Texts, .txt files (one text a line), or .jsonl and .csv files with the input column."""
        return read_texts(arguments, self.plan)
