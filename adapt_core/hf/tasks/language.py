"""The base class of language tasks: model and tokenizer, checks, batches, saving and loading."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from adapt_core.config.plan import Plan
from adapt_core.contracts import LoadedModel, Quantizer, TaskData
from adapt_core.contracts.recognition import Recognised
from adapt_core.distributed.world import World
from adapt_core.hf.data.columns import format_columns, require_columns
from adapt_core.hf.data.first_look import check_columns
from adapt_core.hf.data.further import check_further
from adapt_core.hf.data.places import without_place
from adapt_core.hf.data.source import check_data_source, data_formats, load_raw
from adapt_core.hf.data.tables.column_names import Columns
from adapt_core.hf.models.attention import attention_options, class_of
from adapt_core.hf.models.gguf import check_gguf, convert_gguf
from adapt_core.hf.models.hub import HubUpload
from adapt_core.hf.models.location import TOKENIZER_FILES, ModelSource, locate
from adapt_core.hf.models.new_tokens import NewTokens, add_tokens, check_tokens, fit_vocabulary, rows_without
from adapt_core.hf.models.pretrained import check_source, guarded, load_companion, load_pretrained, load_quantized
from adapt_core.hf.models.tokenizers import load_tokenizer
from adapt_core.hf.problems.kinds import require_metric
from adapt_core.hf.tasks.inputs import read_texts
from adapt_core.hf.tasks.params import TextParams
from adapt_core.hf.tasks.preview import (
    LabelledTokens,
    example_tokens,
    longest_batch,
    random_texts,
    spread_batches,
    spread_examples,
)

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import TypeVar

    from adapt_core.execution.rows import Table
    from adapt_core.hf.frozen.rows import TokenRows

    TextParamsT = TypeVar("TextParamsT", bound=TextParams, default=Any)
else:  # typing's own TypeVar takes a default from Python 3.13 on
    from typing import TypeVar

    TextParamsT = TypeVar("TextParamsT", bound=TextParams)


class LanguageTask(HubUpload, Generic[TextParamsT]):
    """Base class of language tasks, `LanguageTask[MyParams]` with params derived from `TextParams`.

    A task adds `load_data`, `load_model`, `make_loop`, `loading_lines` and `predict`, and overrides what differs.

    Attributes:
        auto_class: the transformers Auto class of the task's models.
        new_tokens: those of ADD_TOKENS, once the tokenizer is loaded.
    """

    auto_class: ClassVar[str]
    new_tokens = NewTokens()

    def __init__(self, plan: Plan[TextParamsT]) -> None:
        self.plan = plan

    @property
    def params(self) -> TextParamsT:
        """The task's own parameters."""
        return self.plan.task.params

    def check(self) -> None:
        """Check that data, its columns and model exist and that FORMAT_STRING is valid.

        Raises:
            InputError: one is not; the message says what to do.
        """
        format_columns(self.plan.data)
        check_tokens(self.params.add_tokens)
        check_data_source(self.plan.data, self.plan.formats)
        check_columns(self.plan, self.check_split)
        given = locate(self.plan)
        check_gguf(given)
        check_source(given, TOKENIZER_FILES, "tokenizer")

    def check_further_sets(self) -> None:
        """Check the data sets of ALSO_EVALUATE as those of the run.

        Raises:
            InputError: one cannot be used.
        """
        check_further(self.plan, self.check_split)

    @property
    def required_columns(self) -> Sequence[tuple[str, str]]:
        """The columns that each row must have, with the keys that name them; none where the rows decide."""
        return ()

    def check_split(self, columns: Columns, split: str) -> None:
        """Check that a split has the columns that the task reads, before anything heavy is loaded.

        Args:
            columns: the split's.
            split: its name, for messages.

        Raises:
            DataError: one is not there.
        """
        require_columns(list(columns), self.required_columns, split)

    def require_metric(self, reported: Sequence[str]) -> None:
        """Check that this variant of the task reports METRIC_FOR_BEST.

        Raises:
            InputError: it does not.
        """
        require_metric(self.plan, reported)

    @cached_property
    def source(self) -> ModelSource:
        """The location of the base model. A GGUF file is first converted into a folder."""
        return convert_gguf(locate(self.plan))

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the base model, with a padding token and those of ADD_TOKENS."""
        tokenizer = load_tokenizer(self.source, self.plan)
        self.new_tokens = add_tokens(tokenizer, self.params.add_tokens)
        return tokenizer

    @cached_property
    def config(self) -> PretrainedConfig:
        """The config of the base model."""
        from transformers import AutoConfig

        return load_companion(AutoConfig.from_pretrained, self.source, self.plan)

    def load_base(self, options: dict[str, Any], quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load the base model by the task's Auto class, quantized and with flash attention where configured.

        Args:
            options: further arguments of `from_pretrained`.
            quantizer: None for a float base.
            world: the process; on the device "meta" no weights are loaded.
        """
        import transformers

        auto_class = getattr(transformers, self.auto_class)
        options = {**options, **attention_options(self.plan, world, lambda: class_of(auto_class, self.config))}
        if world.device == "meta":
            options["device_map"] = {"": "meta"}
        if quantizer is None:
            loaded = load_pretrained(auto_class, self.source, self.plan, world.device, options)
        else:
            loaded = load_quantized(auto_class, self.source, self.plan, quantizer, world.device, options)
        return fit_vocabulary(loaded, self.tokenizer, self.new_tokens, self.params.add_tokens_start, self.source)

    @abstractmethod
    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load the task's model; see `adapt_core.contracts.Task`."""

    def load_structure(self, data: TaskData) -> LoadedModel:
        """Return the model of `load_model` on the meta device, without weights."""
        return self.load_model(data, None, World(device="meta"))

    @property
    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """The collator of batches: pads to the longest example. A task with labels for each token overrides it."""
        from transformers import DataCollatorWithPadding

        collator: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]] = DataCollatorWithPadding(self.tokenizer)
        return collator

    def frozen_rows(self, rows: Dataset, passes: float) -> TokenRows:
        """Return the rows of a split as a frozen part is computed for them; see `TrainerComponents.frozen_rows`."""
        from adapt_core.hf.frozen.rows import TokenRows

        return TokenRows(rows, self.collator, self.tokenizer.model_input_names)

    def training_forward(self, model: nn.Module) -> AbstractContextManager[None] | None:
        """Return a context of CHUNKED_LOSS and LEAN_LAYERS, or None where neither changes what the model keeps."""
        from adapt_core.hf.loop.lean_layers import lean_forwards, lean_layers
        from adapt_core.hf.loop.output_layer import deferrable_head, deferred_logits

        training = self.plan.training
        head = deferrable_head(model) if training.chunked_loss else None
        forwards = lean_forwards(model, recompute_mlp=training.recompute_mlp) if training.lean_layers else {}

        @contextmanager
        def both() -> Iterator[None]:
            with lean_layers(forwards), deferred_logits(head):
                yield

        return both() if forwards or head is not None else None

    def largest_batch(self, data: TaskData) -> Mapping[str, Any]:
        """Return the longest training examples, padded."""
        return longest_batch(data, self.collator, self.plan.training.batch_size)

    def training_batches(self, model: nn.Module, data: TaskData, rows: int) -> list[Mapping[str, Any]]:
        """Return training examples, padded, as the model's inputs."""
        return spread_batches(model, data, self.collator, rows, self.plan.training.batch_size)

    def random_batch(self, model: nn.Module) -> Mapping[str, torch.Tensor]:
        """Return a few random texts as inputs of the model."""
        return random_texts(self.tokenizer, model)

    def data_formats(self) -> Mapping[str, Recognised]:
        """Return the format of each split of local files."""
        return data_formats(self.plan)

    def seen_by_model(self, data: TaskData, count: int) -> list[LabelledTokens]:
        """Return the tokens of at most `count` training examples, without labels."""
        shown = spread_examples(data, count)
        return [[(token, "") for token in example_tokens(self.tokenizer, example)] for example in shown]

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Return the training examples of each class: none, for a task without classes."""
        return {}

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """Return the names of the modules outside the base model, or of a language model's output layer."""
        from adapt_core.nn.structure import find_head

        return find_head(model)

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """Return True: a task's head is new, so it trains next to an adapter."""
        return True

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Save weights, model config and tokenizer."""
        from adapt_core.hf.models.save_formats import save_hf_model

        save_hf_model(model, self.tokenizer, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        """Load the model that `save_model` saved; its tokenizer is the task's from here on.

        The run may have given it what the base's lacks: a chat template, padding.
        """
        import transformers

        from adapt_core.hf.models.save_formats import load_hf_model

        model: nn.Module = load_hf_model(
            getattr(transformers, self.auto_class), folder, trust=self.plan.model.trust_remote_code
        )
        self.tokenizer = self.saved_tokenizer(folder)
        return model

    def save_beside_adapter(self, model: nn.Module, folder: Path) -> None:
        """Save the model's config, which has the labels, and the tokenizer beside an adapter."""
        from adapt_core.hf.models.adapters import save_beside_adapter

        save_beside_adapter(model, self.tokenizer, folder)

    @abstractmethod
    def loading_lines(self, save_method: str) -> str:
        """Return Python lines that load the saved model and use it, without adapt."""

    def adapter_loading_lines(self, adapter: Path) -> str:
        """Return Python lines that load base model and adapter with plain peft, followed by the task's own."""
        from adapt_core.hf.models.adapters import adapter_loading_lines

        names = (self.auto_class, "AutoTokenizer", "tokenizer")
        use = self.loading_lines("save_pretrained").removeprefix(self.loading_with([], "save_pretrained"))
        return "\n".join(adapter_loading_lines(*names, adapter, rows_without(self.new_tokens, self.config))) + use

    def loading_with(self, use: Sequence[str], save_method: str) -> str:
        """Return Python lines that load model and tokenizer, followed by the task's own."""
        from adapt_core.hf.models.save_formats import loading_lines

        return "\n".join([loading_lines(self.auto_class, "AutoTokenizer", "tokenizer", save_method), *use])

    def saved_tokenizer(self, folder: Path) -> PreTrainedTokenizerBase:
        """Return the tokenizer in a `model/` folder, or the base model's where the folder does not exist."""
        from transformers import AutoTokenizer

        if not folder.is_dir():
            return self.tokenizer
        trust = self.plan.model.trust_remote_code
        load = partial(AutoTokenizer.from_pretrained, folder, local_files_only=True, trust_remote_code=trust)
        return guarded(str(folder), load)

    def test_inputs(self) -> Table | None:
        """Return the rows of the test split, with or without labels; None where the data has none."""
        rows = load_raw(self.plan.data, self.plan.formats).get("test")
        return None if rows is None else without_place(rows)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return texts: the arguments, the lines of .txt files, or the input column of .jsonl, .csv, ... files."""
        return read_texts(arguments, self.plan)
