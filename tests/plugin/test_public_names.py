"""The names that plugin authors are promised, and what importing them costs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from types import ModuleType

import pytest

import adapt_core
from adapt_core import hf, plugin, testing

from ..environments import ROOT

DOORS = {"adapt_core", "adapt_core.plugin", "adapt_core.hf", "adapt_core.testing"}
"""The modules that are stable under HOOK_API."""

PYTHON_API = "AdaptError ConfigError InputError RunResult __version__ check export predict run"
PLUGIN = """
    HOOK_API AdaptError AttachContext Chat CheckSkipped Choice CommandSpec ConfigError DataCheck DataCheckSpec DataError
    Decisions DefectError Evaluated EvaluatedRows Examples ExportSource Exporter ExporterSpec Finding Format
    FormatSpec InPlace InputError Job Launcher LauncherSpec LoadedModel Loop LoopSpec Memory Method MethodSpec
    Metric MetricRecorder MetricSpec NoParams OptionalDependency ParallelStrategy PerClass Place Plan Problem
    Quantizer QuantizerSpec Recognised Replicated ResumeDecision Row RunCommand RunFolder RunResult RuntimeCheck
    StopRequest StoredBytes Subject SupportsActivationMeasurement SupportsBatchPreview SupportsCachedSamples
    SupportsChat SupportsClassCounts SupportsDataFormats SupportsDecisions SupportsDrawnRows
    SupportsEvaluatedFacts SupportsEvaluatedRows SupportsFrozenFeatures SupportsFurtherSets SupportsHubUpload
    SupportsImagePreview SupportsLaunchFiles SupportsMemoryEstimate SupportsMetaInit SupportsMixedPrecision
    SupportsPerClass SupportsPickledModels SupportsPlainAdapter SupportsRandomBatch SupportsRankMemory
    SupportsRowContents SupportsRowCount SupportsRunStorage SupportsSamples SupportsShownRows SupportsTestPrediction
    SupportsTokenPreview SupportsTrainingForward Task TaskData TaskSpec TrackedRun Tracker TrackerSpec TrainResult
    TrainingCheck Work World find_head freeze_except hold_batch_norms hookimpl of_evaluation param read_state_dict
    save_weights seed_everything spread untouched_random_state write_text
"""
HF = """
    HF_LOOP IGNORED Encoding HuggingFaceLoop Labels LanguageTask ModelSource TextParams TrainerComponents batch_texts
    cached_map check_data_source class_table class_weights clean_splits column_values count_labels
    count_truncated example_tokens input_column length_limit load_companion load_hf_model load_pretrained
    load_raw load_splits load_tokenizer loading_lines locate longest_batch number_of positions_of prepare_rows
    read_field_texts read_labels read_records read_texts read_words require_columns require_fast row_text
    save_hf_model spread_examples text_columns text_fault text_faults tokenizer_key weighted_cross_entropy
"""
TESTING = """
    ExporterContract FormatContract LauncherContract MethodContract MetricContract PluginContract QuantizerContract
    TaskContract
"""


@pytest.mark.parametrize(
    ("module", "promised"), [(adapt_core, PYTHON_API), (plugin, PLUGIN), (hf, HF), (testing, TESTING)]
)
def test_the_promised_names_are_there_and_no_others(module: ModuleType, promised: str) -> None:
    assert module.__all__ == promised.split()
    assert dir(module) == sorted(promised.split())
    if module in (hf, testing):
        pytest.importorskip("transformers")
    assert [name for name in promised.split() if getattr(module, name, None) is None] == []


@pytest.mark.parametrize("module", [adapt_core, plugin, hf, testing])
def test_a_name_that_is_not_there_is_an_attribute_error(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'Tasc'"):
        _ = module.Tasc


def test_the_doors_and_the_specs_of_a_hook_module_import_nothing_heavy() -> None:
    code = (
        "import json, sys\n"
        "import adapt_core, adapt_core.hf, adapt_core.plugin, adapt_core.testing\n"
        "from adapt_core.plugin import HOOK_API, MethodSpec, OptionalDependency, TaskSpec, hookimpl, param\n"
        "from adapt_core.hf import HF_LOOP, TextParams\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(json.loads(done.stdout)) & {
        "torch",
        "transformers",
        "peft",
        "datasets",
        "numpy",
        "mmengine",
        "pytest",
    }


def imported_from_adapt(source: str) -> set[str]:
    """The modules of adapt-core that Python source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {
                f"adapt_core.{alias.name}" if node.module == "adapt_core" else str(node.module) for alias in node.names
            }
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.partition(".")[0] == "adapt_core"}


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("adapt-bitfit", {"adapt_core.plugin"}),
        ("adapt-text-regression", {"adapt_core.plugin", "adapt_core.hf"}),
        ("adapt-csv-tracker", {"adapt_core.plugin"}),
        ("adapt-quillmark", {"adapt_core.plugin"}),
    ],
)
def test_an_example_plugin_imports_from_the_doors_alone(name: str, needed: set[str]) -> None:
    folder = ROOT / "examples" / "plugins" / name
    package = [imported_from_adapt(path.read_text("utf-8")) for path in folder.glob("adapt_*/*.py")]
    assert set().union(*package) == needed
    tests = [imported_from_adapt(path.read_text("utf-8")) for path in folder.glob("tests/*.py")]
    assert set().union(*tests) <= DOORS


def test_pages_import_from_the_doors_alone() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")]
    pattern = re.compile(r"^\s*(?:from|import) (adapt_core[\w.]*)", re.MULTILINE)
    found = {(page.name, module) for page in pages for module in pattern.findall(page.read_text("utf-8"))}
    assert ("plugins.md", "adapt_core.plugin") in found
    assert {(page, module) for page, module in found if module not in DOORS} == set()
