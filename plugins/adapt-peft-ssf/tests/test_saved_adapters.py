"""What a run with an adapter leaves: it loads with plain peft, predicts, merges on export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from peft import AutoPeftModelForSequenceClassification

import adapt_core
from adapt_core.cli import cli
from adapt_core.errors import InputError
from adapt_core.testing.cards import python_of
from adapt_core.testing.forks import LIBRARIES, fork_server_of

from .jobs import METHODS, config

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")


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
    lines = python_of(Path("README.md"))
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
