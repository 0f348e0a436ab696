"""report.html: what stands on it, that it never fails a run, and how a real browser shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.report import report_run
from adapt_core.report.page import report_page
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder

from .. import fakes

SAMPLE = {"input": "<b>Where</b> is my book?", "expected": "loans", "predicted": "rooms (0.21)"}
TABLE = {"labels": ["loans", "rooms"], "figures": {"recall": [0.5, 1.0], "rows": [4, 2]}, "confusion": [[2, 2], [0, 2]]}


def plan(folder: Path, **keys: Any) -> Plan:
    config = {"TASK": "words", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", "OUTPUT_DIR": str(folder), **keys}
    return resolve(RunConfig.read(config), fakes.registry_with_all())


def result(folder: Path, **changes: Any) -> RunResult:
    known: dict[str, Any] = {
        "status": "finished",
        "task": "words",
        "method": "LoRA",
        "quantization": None,
        "launcher": "local",
        "total_parameters": 1_000_000,
        "trainable_parameters": 12_345,
        "metrics": {
            "before": {"loss": 2.0, "accuracy": 0.25},
            "after": {"loss": 0.5, "accuracy": 0.2},
            "test": None,
        },
        "train_seconds": 200.0,
        "samples_per_second": 12.5,
        "peak_memory_bytes": 3 << 30,
        "steps": 40,
        "artifacts": {"adapter": "adapter"},
        "training_check": {
            "verdict": "learned",
            "trained_tensors": 4,
            "moved_tensors": 4,
            "frozen_tensors": 9,
        },
        "data": {"train_rows": 640},
        "versions": {"python": "3.11.4", "adapt-core": "0.1.0"},
        "seed": 42,
        "config_sha256": "ab" * 32,
        "output_dir": str(folder),
    }
    return RunResult(**{**known, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder as a run leaves it."""
    held = RunFolder(tmp_path / "run")
    held.prepare()
    rows: list[dict[str, Any]] = [{"phase": "before", "step": 0, "epoch": 0.0, "loss": 2.0, "accuracy": 0.25}]
    for step in range(10, 50, 10):
        figures = {"loss": 2 - step / 30, "learning_rate": 1e-4 * (1 - step / 50)}
        rows.append({"phase": "train", "step": step, "epoch": step / 40, **figures})
    rows.append({"phase": "after", "step": 40, "epoch": 1.0, "loss": 0.5, "accuracy": 0.2})
    held.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    after = {**SAMPLE, "predicted": "loans (0.93)"}
    evidence = {
        "before": {"samples": [SAMPLE], "per_class": None},
        "after": {"samples": [after], "per_class": TABLE},
    }
    held.evaluation.write_text(json.dumps(evidence), encoding="utf-8")
    return held


@pytest.fixture
def page(folder: RunFolder) -> str:
    chosen = plan(folder.path, method="LoRA", r=3, LR=5e-3)
    return report_page(chosen, fakes.registry_with_all(), folder, result(folder.path))


def test_the_page_needs_no_other_file(page: str) -> None:
    assert re.findall(r"""(?:src|href)="(?!data:)[^"]*""", page) == []
    assert "<script" not in page
    assert "url(" not in page


def test_metrics_say_whether_the_change_is_for_the_better(page: str) -> None:
    assert re.search(r"loss</td>.*?2\.0000.*?0\.5000.*?class=\"n better\">-1\.5000", page, re.DOTALL)
    assert re.search(r"accuracy</td>.*?0\.2500.*?0\.2000.*?class=\"n worse\">-0\.0500", page, re.DOTALL)


def test_the_figures_at_the_top(page: str) -> None:
    for text in ("12,345", "1.23 %", "3 min 20 s", "12.5", "3 GiB"):
        assert text in page


def test_samples_stand_side_by_side_and_are_escaped(page: str) -> None:
    assert "&lt;b&gt;Where&lt;/b&gt;" in page
    assert page.index("rooms (0.21)") < page.index("loans (0.93)")


def test_the_verdict_on_the_data_has_its_findings_and_rows(folder: RunFolder) -> None:
    row = {"split": "validation", "row": 3, "text": "<b>", "as_in": {"split": "train", "row": 7, "text": "<B>"}}
    found = {"message": "1 of 4 rows <i>", "warns": True, "figures": {}, "to_beat": {}, "rows": [row]}
    checks = {
        "twins": {"summary": "rows twice", "seconds": 0.5, "left_out": None, "findings": [found]},
        "late": {"summary": "late", "seconds": 0.0, "left_out": "no time", "findings": []},
        "good": {"summary": "good", "seconds": 2.0, "left_out": None, "findings": []},
    }
    told = result(folder.path, verdict={"seconds": 2.5, "checks": checks})
    page = report_page(plan(folder.path), fakes.registry_with_all(), folder, told)
    assert "1 of 4 rows &lt;i&gt;" in page
    assert "validation row 3: &#39;&lt;b&gt;&#39; (as in train row 7: &#39;&lt;B&gt;&#39;)" in page
    assert "left out: no time" in page
    assert "nothing found (2 s)" in page
    assert "The data before training" not in report_page(
        plan(folder.path), fakes.registry_with_all(), folder, result(folder.path)
    )


def test_text_of_labels_paths_and_metrics_is_escaped_everywhere(folder: RunFolder, tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)>\"' {{ 7 * 7 }} \x1b[31m\u202egpj"
    sample = {"input": {bad: bad}, "expected": [[bad, bad]], "predicted": bad}
    table = {"labels": [bad, "b"], "figures": {bad: [0.5, 1.0]}, "confusion": [[2, 2], [0, 2]]}
    folder.evaluation.write_text(json.dumps({"after": {"samples": [sample], "per_class": table}}), encoding="utf-8")
    with folder.metrics.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"phase": "after", "step": 40, "epoch": 1.0, bad: 0.5}) + "\n")
    chosen = plan(folder.path, MODEL_PATH=f"/models/{bad}", CUSTOM_DATASET_PATH=f"/data/{bad}")
    told = result(folder.path, warnings=(bad,), data={bad: bad}, metrics={"before": None, "after": {bad: 0.5}})
    page = report_page(chosen, fakes.registry_with_all(), folder, told)
    assert page.count("&lt;img src=x onerror=alert(1)&gt;&#34;&#39; {{ 7 * 7 }} \\u001b[31m\\u202egpj") > 15
    assert "<img" not in page
    assert not set("\x1b\u202e") & set(page)


def test_a_text_that_looks_like_the_address_of_a_picture_is_text(folder: RunFolder) -> None:
    sample = {"input": "data:image/svg+xml,<svg/>", "expected": 'data:image/png;base64," x', "predicted": "a"}
    folder.evaluation.write_text(json.dumps({"after": {"samples": [sample], "per_class": None}}), encoding="utf-8")
    page = report_page(plan(folder.path), fakes.registry_with_all(), folder, result(folder.path))
    assert "<img" not in page
    assert "data:image/svg+xml,&lt;svg/&gt;" in page


def test_pictures_words_with_tags_and_mappings_are_shown(folder: RunFolder) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    tagged = {"input": {"question": "Who?"}, "expected": [["Ada", "B-PER"], ["was", "O"]], "predicted": picture}
    folder.evaluation.write_text(json.dumps({"before": {"samples": [tagged], "per_class": None}}))
    page = report_page(plan(folder.path), fakes.registry_with_all(), folder, result(folder.path))
    assert f'<img src="{picture}"' in page
    assert "Ada<small>B-PER</small>" in page
    assert "was</span>" in page
    assert "<dt>question</dt><dd>Who?</dd>" in page


def test_confusions_are_a_matrix_or_a_list_of_the_most_frequent(folder: RunFolder, page: str) -> None:
    assert re.findall(r'--share: ([\d.]+)">(\d+)', page) == [("0.5", "2"), ("0.5", "2"), ("0.0", "0"), ("1.0", "2")]
    labels = [f"class {number}" for number in range(20)]
    counts = [[5 if a == b else 7 if (a, b) == (3, 4) else 0 for b in range(20)] for a in range(20)]
    table = {"labels": labels, "figures": {"recall": [0.5] * 20}, "confusion": counts}
    folder.evaluation.write_text(json.dumps({"after": {"samples": [], "per_class": table}}))
    many = report_page(plan(folder.path), fakes.registry_with_all(), folder, result(folder.path))
    assert "--share: 0.5" not in many
    row = r'class 3</td><td class="text">class 4</td><td class="n">7'
    assert re.search(row, many)


def test_of_ten_thousand_classes_the_first_are_shown(folder: RunFolder) -> None:
    labels = [f"class {number}" for number in range(10_000)]
    table = {"labels": labels, "figures": {"recall": [0.5] * 10_000, "rows": [3] * 10_000}, "confusion": None}
    folder.evaluation.write_text(json.dumps({"after": {"samples": [], "per_class": table}}))
    page = report_page(plan(folder.path), fakes.registry_with_all(), folder, result(folder.path))
    assert ">class 999<" in page
    assert ">class 1000<" not in page
    assert "The first 1000 of 10000 classes; evaluation.json has them all." in page
    assert len(page) < 500_000


def test_what_differs_from_the_defaults_is_marked(page: str) -> None:
    assert re.search(r"<code>LR</code></td><td class=\"text\">0\.005</td><td class=\"text soft\">0\.0001", page)
    marked = re.findall(r"class=\"changed\">.*?<code>(\w+)</code>", page, re.DOTALL)
    assert {"LR", "r"} <= set(marked)
    assert not {"EPOCHS", "alpha"} & set(marked)
    assert "MAX_TRAIN_SAMPLES" not in marked  # 1000 is the default of this task


def test_versions_and_the_command_that_repeats_the_run(page: str, folder: RunFolder) -> None:
    assert f"adapt run {folder.config} --set OUTPUT_DIR={folder.path}-again" in page
    assert "pip install adapt-core==0.1.0" in page


def test_without_metrics_samples_and_classes_their_sections_are_absent(tmp_path: Path) -> None:
    nothing = {"before": None, "after": None, "test": None}
    bare = result(tmp_path, metrics=nothing, training_check={"verdict": "not trained", "steps": 0})
    page = report_page(plan(tmp_path), fakes.registry_with_all(), RunFolder(tmp_path), bare)
    assert "Nothing was evaluated" in page
    for section in ("curves", "samples", "classes"):
        assert f'id="{section}"' not in page


def test_a_report_that_cannot_be_written_is_a_warning(folder: RunFolder, caplog: pytest.LogCaptureFixture) -> None:
    folder.metrics.write_text("{ cut short\n{}\n", encoding="utf-8")
    assert report_run(plan(folder.path), fakes.registry_with_all(), folder, result(folder.path)) is None
    assert "report.html could not be written: InputError" in caplog.text
    assert not folder.report.exists()


def test_a_broken_record_of_evaluations_leaves_the_rest_of_the_report(
    folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.evaluation.write_text("{ cut short", encoding="utf-8")
    assert report_run(plan(folder.path), fakes.registry_with_all(), folder, result(folder.path)) == folder.report
    assert "evaluation.json cannot be read" in caplog.text


# ---- in a real browser ----


def luminance(colour: str) -> float:
    """The relative luminance (WCAG 2) of "rgb(r, g, b)"."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_errors_or_sideways_scrolling(
    browser: Any, open_page: Callable[..., None], page: str, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    open_page(tmp_path / "page.html", width, scheme)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.querySelectorAll('svg path').length") >= 3
    style = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    ink, paper = (luminance(colour) for colour in browser.execute_script(style))
    assert (paper > ink) == (scheme == "light")
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 7  # WCAG 2, level AAA
