"""Whole runs of text classification with each method, on float and quantized bases."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from peft import AutoPeftModelForSequenceClassification

import adapt_core
from adapt_core.cli import cli
from adapt_core.errors import InputError
from adapt_core.testing.forks import LIBRARIES, fork_server_of

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

METHODS = ("LoRA", "DoRA", "SSF")


def config(tiny_encoder: Path, inbox: Path, output: Path, **more: Any) -> dict[str, Any]:
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(output),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 32,
        "EPOCHS": 2,
        "BATCH_SIZE": 16,
        "LR": 1e-2,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
        **more,
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_run_learns_saves_its_adapter_and_merges(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    result = adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method=method, EPOCHS=6, LOGGING_STEPS=1))

    assert result.method == method
    assert result.training_check["verdict"] == "learned"
    assert result.training_check["frozen_changed"] == 0
    assert result.trainable_parameters < result.total_parameters / 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line.get("phase") == "train"]
    assert losses[-1] < losses[0]
    assert result.merge["inputs"] == "validation"
    assert result.merge["relative_difference"] <= 1e-5
    assert 0 < result.artifact_bytes["adapter"] < result.artifact_bytes["model"]
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").exists()
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


LOAD = """
import json, sys, torch
{register}
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from peft import PeftModel
run, base = sys.argv[1:3]
torch.manual_seed(5)
merged = AutoModelForSequenceClassification.from_pretrained(run + "/model").eval()
model = PeftModel.from_pretrained(
    AutoModelForSequenceClassification.from_pretrained(base, num_labels=merged.config.num_labels), run + "/adapter"
).eval()
tokenizer = AutoTokenizer.from_pretrained(base)
inputs = tokenizer(["the build fails on windows", "thank you"], padding=True, return_tensors="pt")
with torch.no_grad():
    a, b = model(**inputs).logits, merged(**inputs).logits
print(json.dumps({{"difference": float((a - b).abs().max()), "largest": float(b.abs().max()),
                  "adapt": [m for m in sys.modules if m.startswith("adapt_")]}}))
"""


@pytest.mark.parametrize("method", METHODS)
def test_the_adapter_loads_with_plain_peft_in_a_fresh_process(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method=method, EPOCHS=1))
    script = LOAD.format(register="import adapt_peft_ssf.ssf" if method == "SSF" else "")
    done = fork_server_of(*LIBRARIES, "peft").run(script, "run", str(tiny_encoder), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["difference"] <= 1e-5 * max(1.0, seen["largest"])
    if method != "SSF":
        assert not seen["adapt"]


def test_a_run_without_merging_saves_the_adapter_alone_and_predicts(
    tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", MERGE_ADAPTER=False, EPOCHS=1)
    result = adapt_core.run(keys)
    assert not (tmp_path / "run" / "model").exists()
    assert "model" not in result.artifacts
    exported = adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "exported")
    assert (exported / "model.safetensors").exists()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        kept = (tmp_path / "run" / "adapter" / name).read_bytes()
        for damage in (b"", b"[]", b"{}"):
            (tmp_path / "run" / "adapter" / name).write_bytes(damage)
            with pytest.raises(InputError, match=r"the LoRA adapter in .*adapter cannot be loaded: "):
                adapt_core.predict(tmp_path / "run", ["Where is my book?"])
        (tmp_path / "run" / "adapter" / name).write_bytes(kept)


@pytest.mark.parametrize("method", ["LoRA", "SSF"])
def test_the_card_s_lines_of_an_adapter_alone_give_the_labels_of_predict(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method=method, MERGE_ADAPTER=False, EPOCHS=4)
    adapt_core.run(keys)
    monkeypatch.chdir(tmp_path / "run")
    lines = Path("README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert ("registers SSF with peft" in lines) == (method == "SSF")
    texts = ["Where do I find the laser cutter?", "My card is broken.", "How do I renew my book?"]
    expected = [found["label"] for found in adapt_core.predict(tmp_path / "run", texts)]
    found = []
    for text in texts:
        names: dict[str, Any] = {}
        exec(lines.replace("A text to classify.", text), names)
        found.append(names["label"])
    assert found == expected
    assert not [label for label in found if label.startswith("LABEL_")]
    if method == "LoRA":
        auto = AutoPeftModelForSequenceClassification.from_pretrained(
            "adapter", num_labels=len(names["model"].config.id2label)
        )
        wanted = names["model"](**names["inputs"]).logits
        assert torch.allclose(auto.eval()(**names["inputs"]).logits, wanted, atol=1e-5)


def test_a_run_goes_on_from_a_checkpoint_of_its_adapter(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", EPOCHS=2, dropout=0.0)
    whole = adapt_core.run({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    adapt_core.run(keys)
    (tmp_path / "run" / "result.json").unlink()
    last = max((tmp_path / "run" / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    for path in last.iterdir():
        path.unlink()
    last.rmdir()
    resumed = adapt_core.run(keys, resume=True)
    assert resumed.metrics["after"]["loss"] == pytest.approx(whole.metrics["after"]["loss"], abs=1e-6)


def test_gradient_checkpointing_changes_nothing_but_memory(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    losses = [
        adapt_core.run(
            config(
                tiny_encoder, inbox, tmp_path / str(on), method="LoRA", GRADIENT_CHECKPOINTING=on, dropout=0.0, EPOCHS=1
            )
        ).metrics["after"]["loss"]
        for on in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_the_section_of_the_method_is_read(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", LoRA_CONFIG={"r": 2}, DoRA_CONFIG={"r": 4})
    plan = adapt_core.check(keys)
    assert plan.method.params.r == 2


def test_target_modules_reads_from_a_config_as_a_list_or_text(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    for given, read in ((["query", "value"], ("query", "value")), (r".*\.query", r".*\.query"), (None, None)):
        keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", target_modules=given)
        assert adapt_core.check(keys).method.params.target_modules == read


def test_a_misspelt_target_stops_the_run_before_training(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", target_modules=["query", "valeu"])
    with pytest.raises(InputError, match="valeu"):
        adapt_core.run(keys)


@pytest.mark.parametrize("switch", ["load_in_4bit", "load_in_8bit"])
@pytest.mark.parametrize("method", METHODS)
def test_a_run_on_a_quantized_base_learns_and_merges_what_it_measured(
    method: str, switch: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method=method, EPOCHS=6, LOGGING_STEPS=1)
    result = adapt_core.run({**keys, switch: True})

    assert result.training_check["verdict"] == "learned"
    assert result.training_check["frozen_changed"] == 0
    assert result.quantization == {"load_in_4bit": "bnb_4bit", "load_in_8bit": "bnb_8bit"}[switch]
    assert set(result.artifacts) >= {"adapter"}
    assert "model" not in result.artifacts

    merged = {**keys, switch: True, "MERGE_ADAPTER": True, "OUTPUT_DIR": str(tmp_path / "merged")}
    result = adapt_core.run(merged)
    assert "model" in result.artifacts
    assert result.merge["relative_difference"] <= result.merge["tolerance"]
    exported = adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "exported")

    from safetensors.torch import load_file

    at_once = load_file(tmp_path / "merged" / "model" / "model.safetensors")
    later = load_file(exported / "model.safetensors")
    assert at_once.keys() == later.keys()
    for name, tensor in at_once.items():
        assert (later[name] - tensor).abs().max() <= 1e-5 * tensor.abs().max().clamp(min=1), name


def test_a_merge_that_changes_the_function_stops_the_run(
    tiny_encoder: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_core.errors import DefectError

    from adapt_peft_ssf.methods import peft_models

    monkeypatch.setattr(peft_models, "merge", lambda model, quantizer: peft_models.unload(model))
    with pytest.raises(DefectError, match="does not compute what the trained one does"):
        adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", EPOCHS=2))
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def unmerged_run(tiny_encoder: Path, inbox: Path, folder: Path, **more: Any) -> dict[str, Any]:
    keys = config(tiny_encoder, inbox, folder, method="LoRA", EPOCHS=1, MERGE_ADAPTER=False, DO_EVAL=False, **more)
    adapt_core.run(keys)
    return keys


def test_export_checks_its_merge_and_reports_the_difference(
    tiny_encoder: Path, inbox: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from adapt_core.execution.export import export_finished

    unmerged_run(tiny_encoder, inbox, tmp_path / "run")
    exported = export_finished(tmp_path / "run", "safetensors", tmp_path / "merged", trust=False)
    assert exported.merged
    assert exported.merge is not None
    assert exported.merge["inputs"] == "random"
    assert exported.merge["relative_difference"] <= 1e-5
    command = ["export", str(tmp_path / "run"), "--save-method", "safetensors", "-o"]
    done = CliRunner().invoke(cli, [*command, str(tmp_path / "again")])
    assert "merged: outputs differ by" in done.output, done.output
    done = CliRunner().invoke(cli, [*command, str(tmp_path / "third"), "--json"])
    assert json.loads(done.stdout)["merge"]["tolerance"] == 1e-4


def test_an_export_whose_merge_changes_the_function_fails_and_writes_nothing(
    tiny_encoder: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_core.errors import DefectError

    from adapt_peft_ssf.methods import peft_models

    unmerged_run(tiny_encoder, inbox, tmp_path / "run")
    monkeypatch.setattr(peft_models, "merge", lambda model, quantizer: peft_models.unload(model))
    with pytest.raises(DefectError, match="does not compute what the trained one does"):
        adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def test_an_adapter_of_an_earlier_version_needs_the_data_of_its_run_and_says_so(
    tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    from adapt_core.execution.export import export_finished

    moved = tmp_path / "data"
    shutil.copytree(inbox, moved)
    unmerged_run(tiny_encoder, moved, tmp_path / "run")
    (tmp_path / "run" / "adapter" / "data.json").unlink()
    exported = export_finished(tmp_path / "run", "safetensors", tmp_path / "exported", trust=False)
    assert exported.merge is not None
    shutil.rmtree(moved)
    with pytest.raises(InputError, match="has only an adapter, of a version of adapt that built its base model from"):
        adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "again")


@pytest.mark.parametrize("optimizer", ["paged_adamw_32bit", "adamw_8bit"])
def test_the_optimizers_of_bitsandbytes_train_an_adapter(
    optimizer: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    result = adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", OPTIMIZER=optimizer, EPOCHS=1))
    assert result.training_check["verdict"] == "learned"


def test_half_precision_trains_an_adapter_on_an_eight_bit_base(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", BF16=True, load_in_8bit=True, DO_EVAL=False)
    result = adapt_core.run({**keys, "INTERVAL": "no"})
    assert result.training_check["frozen_changed"] == 0


@pytest.mark.parametrize("save_method", ["state_dict", "save_pretrained", "full_torch_model"])
def test_a_merged_quantized_run_loads_as_a_plain_model_in_every_form(
    save_method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="SSF", load_in_4bit=True, MERGE_ADAPTER=True, EPOCHS=1)
    adapt_core.run({**keys, "SAVE_METHOD": save_method})
    script = """
import json, sys
exec(open(sys.argv[1]).read())
dtype = str(next(model.parameters()).dtype)
print(json.dumps([type(model).__name__, dtype, hasattr(model.config, "quantization_config")]))
"""
    card = (tmp_path / "run" / "README.md").read_text()
    (tmp_path / "lines.py").write_text(card.partition("```python\n")[2].partition("```")[0])
    done = fork_server_of(*LIBRARIES, "peft").run(script, str(tmp_path / "lines.py"), folder=tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["BertForSequenceClassification", "torch.float32", False]


def test_listing_plugins_imports_nothing_heavy() -> None:
    script = "import sys, adapt_peft_ssf.plugin; print(sorted({'torch', 'peft', 'bitsandbytes'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("switch", "tolerance"), [("load_in_4bit", 1e-3), ("load_in_8bit", 5e-2)])
def test_the_last_layer_trains_on_a_quantized_base_and_is_saved_on_a_plain_one(
    switch: str, tolerance: float, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="last_layer", **{switch: True})
    result = adapt_core.run({**keys, "bnb_4bit_compute_dtype": "float32"})
    assert result.training_check["verdict"] == "learned"
    assert result.training_check["frozen_changed"] == 0
    model = str(tmp_path / "run" / "model")
    plain = {key: value for key, value in keys.items() if key not in (switch, "method")}
    again = adapt_core.run({**plain, "MODEL_PATH": model, "DO_TRAIN": False, "OUTPUT_DIR": str(tmp_path / "again")})
    assert again.metrics["before"]["loss"] == pytest.approx(result.metrics["after"]["loss"], rel=tolerance)


def test_a_run_of_the_last_layer_on_a_quantized_base_is_resumed(
    tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "whole", method="last_layer", load_in_4bit=True, INTERVAL="epoch")
    whole = adapt_core.run(keys)
    checkpoint = str(tmp_path / "whole" / "checkpoints" / "checkpoint-4")
    again = {**keys, "OUTPUT_DIR": str(tmp_path / "again"), "RESUME_FROM_CHECKPOINT": checkpoint}
    assert adapt_core.run(again).metrics["after"] == whole.metrics["after"]


def test_only_the_head_trains_on_a_quantized_base(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="last_layer", load_in_8bit=True, LAST_LAYERS=2)
    with pytest.raises(InputError, match="LAST_LAYERS: 2: on a quantized base the head alone can train"):
        adapt_core.run(keys)


@pytest.mark.parametrize("method", ["SSF", "DoRA"])
def test_weight_decay_leaves_scales_and_magnitudes_where_learning_puts_them(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    """Decay of 0.2 a step would take the scales, which start at 1, to 0.2 in eight steps."""
    from safetensors.torch import load_file

    learned = []
    for decay in (0.0, 20.0):
        keys = config(tiny_encoder, inbox, tmp_path / str(decay), method=method, WEIGHT_DECAY=decay, DO_EVAL=False)
        adapt_core.run(keys)
        path = tmp_path / str(decay) / "adapter" / "adapter_model.safetensors"
        learned.append({name: t for name, t in load_file(path).items() if "scale" in name or "magnitude" in name})
    plain, decayed = learned
    assert plain
    for name, tensor in plain.items():
        assert float((decayed[name] / tensor).mean()) > 0.8, name
