"""The report's samples: right and wrong ones, nothing found, pictures in a grid."""

from __future__ import annotations

import json
import re
from typing import Any

from adapt_core.evaluation import Sample
from adapt_core.report.page import report_page
from adapt_core.report.samples import samples_section
from adapt_core.run_folder.paths import RunFolder

from .. import fakes
from .test_page import folder, plan, result

__all__ = ["folder"]
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def page_of(folder: RunFolder, *samples: dict[str, Any], warnings: tuple[str, ...] = ()) -> str:
    evidence = {"after": {"samples": list(samples), "per_class": None}}
    folder.evaluation.write_text(json.dumps(evidence), encoding="utf-8")
    return report_page(plan(folder.path), fakes.registry_with_all(), folder, result(folder.path, warnings=warnings))


def test_right_and_wrong_predictions_are_told_apart(folder: RunFolder) -> None:
    row = {"input": "Where?", "expected": "loans", "predicted": "loans (0.9)", "right": True}
    page = page_of(folder, row, {**row, "predicted": "rooms (0.8)", "right": False})
    assert re.search(r'<div class="right"><span class="label">after: right</span><br>loans \(0.9\)', page)
    assert re.search(r'<div class="wrong"><span class="label">after: wrong</span><br>rooms \(0.8\)', page)
    assert re.search(r'<div class=""><span class="label">expected</span><br>loans', page)


def test_a_wrong_tag_is_marked_and_nothing_found_is_said(folder: RunFolder) -> None:
    truth = [["Ada", "B-PER"], ["was", "O"]]
    nothing = [["Ada", "O"], ["was", "O"]]
    page = page_of(folder, {"input": "Ada was", "expected": truth, "predicted": nothing, "right": False, "found": 0})
    assert '<span class="token wrong">Ada<small>O</small></span>' in page
    assert '<span class="token">was</span>' in page
    assert "after: wrong (nothing found)" in page
    assert "(nothing found)" in page_of(folder, {"input": "A text", "expected": "short", "predicted": " "})


def test_pictures_stand_in_a_grid_and_texts_in_rows(folder: RunFolder) -> None:
    assert '<div class="samples grid">' in page_of(folder, {"input": PICTURE, "expected": "ant", "predicted": "bee"})
    assert '<div class="samples">' in page_of(folder, {"input": "a.png", "expected": PICTURE, "predicted": PICTURE})
    drawn = {"input": "a.png", "expected": PICTURE, "predicted": PICTURE, "found": 3}
    assert "after (3 found)" in page_of(folder, drawn)
    assert "after (nothing found)" in page_of(folder, {**drawn, "found": 0})


def test_samples_of_an_earlier_version_have_no_verdict() -> None:
    row: Sample = {"input": "x", "expected": "y", "predicted": "y"}
    section = samples_section({"before": {"samples": [row], "per_class": None}})
    assert section is not None
    assert [answer.verdict for answer in section.samples[0].answers] == ["", ""]
    assert samples_section({"before": {"samples": [], "per_class": None}}) is None


def test_the_page_leads_with_the_metric_that_decides(folder: RunFolder) -> None:
    page = page_of(folder, {"input": "x", "expected": "y", "predicted": "y"})
    assert page.index('id="headline"') < page.index('class="tiles"')
    head = page.partition('id="headline"')[2].partition("</section>")[0]
    words = " ".join(re.sub(r"<[^>]+>", " ", head).split())
    assert words == "> accuracy (higher is better) 0.2500 before 0.2000 after"


def test_what_a_warning_puts_in_doubt_is_not_coloured_as_better(folder: RunFolder) -> None:
    row = {"input": "x", "expected": "y", "predicted": "y"}
    assert 'class="n better">-1.5000' in page_of(folder, row)
    doubtful = page_of(folder, row, warnings=("the model predicts 'y' for all 3",))
    assert 'class="n better"' not in doubtful
    assert 'class="n worse">-0.0500' in doubtful
    assert doubtful.index("Warning: the model predicts") < doubtful.index('id="headline"')
