from adapt_core.hf.data.cache import cached_map, tokenizer_key
from adapt_core.hf.data.columns import column_values, number_of, require_columns, text_fault
from adapt_core.hf.data.labels import IGNORED, Labels, class_weights, read_labels
from adapt_core.hf.data.rows import Encoding, prepare_rows
from adapt_core.hf.data.source import check_data_source, load_raw
from adapt_core.hf.data.splits import clean_splits, count_truncated, load_splits
from adapt_core.hf.data.texts import batch_texts, input_column, row_text, text_columns, text_faults
from adapt_core.hf.loop.components import TrainerComponents
from adapt_core.hf.loop.loop import HuggingFaceLoop
from adapt_core.hf.loop.losses import weighted_cross_entropy
from adapt_core.hf.loop.per_class import class_table
from adapt_core.hf.loop.spec import HF_LOOP
from adapt_core.hf.models.location import ModelSource, locate
from adapt_core.hf.models.pretrained import load_companion, load_pretrained
from adapt_core.hf.models.save_formats import load_hf_model, loading_lines, save_hf_model
from adapt_core.hf.models.tokenizers import length_limit, load_tokenizer, positions_of, require_fast
from adapt_core.hf.tasks.inputs import read_field_texts, read_records, read_texts, read_words
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.params import TextParams
from adapt_core.hf.tasks.preview import count_labels, example_tokens, longest_batch, spread_examples

__all__ = [
    "HF_LOOP",
    "IGNORED",
    "Encoding",
    "HuggingFaceLoop",
    "Labels",
    "LanguageTask",
    "ModelSource",
    "TextParams",
    "TrainerComponents",
    "batch_texts",
    "cached_map",
    "check_data_source",
    "class_table",
    "class_weights",
    "clean_splits",
    "column_values",
    "count_labels",
    "count_truncated",
    "example_tokens",
    "input_column",
    "length_limit",
    "load_companion",
    "load_hf_model",
    "load_pretrained",
    "load_raw",
    "load_splits",
    "load_tokenizer",
    "loading_lines",
    "locate",
    "longest_batch",
    "number_of",
    "positions_of",
    "prepare_rows",
    "read_field_texts",
    "read_labels",
    "read_records",
    "read_texts",
    "read_words",
    "require_columns",
    "require_fast",
    "row_text",
    "save_hf_model",
    "spread_examples",
    "text_columns",
    "text_fault",
    "text_faults",
    "tokenizer_key",
    "weighted_cross_entropy",
]
