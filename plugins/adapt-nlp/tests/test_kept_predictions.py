"""The predictions of each validation row in the folder of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.run_folder.paths import RunFolder
from adapt_core.uncertainty.kept_rows import KeptRows, read_rows

Run = Callable[..., Any]


def kept(tmp_path: Path, name: str = "run") -> KeptRows:
    found = read_rows(RunFolder(tmp_path / name))
    assert found is not None
    return found


def test_they_are_those_that_gave_the_metrics(run: Run, tmp_path: Path) -> None:
    result = run()
    rows = kept(tmp_path)
    assert len(rows) == 32
    assert rows.columns["row"] == list(range(1, 33))
    right = rows.columns["right"]
    assert sum(right) / 32 == pytest.approx(result.metrics["after"]["accuracy"])
    assert [a == b for a, b in zip(rows.columns["expected"], rows.columns["predicted"], strict=True)] == right
    best = [rows.labels[scores.index(max(scores))] for scores in rows.columns["scores"]]
    assert best == rows.columns["predicted"]


def test_rows_keep_their_ids_whatever_was_learned(run: Run, tmp_path: Path) -> None:
    run(MAX_EVAL_SAMPLES=None)
    run(MAX_EVAL_SAMPLES=None, OUTPUT_DIR=str(tmp_path / "other"), LR=0.0, SEED=7)
    ids = kept(tmp_path).ids
    assert ids == kept(tmp_path, "other").ids
    assert len(set(ids)) == len(ids)


def test_the_config_may_leave_them_out(run: Run, tmp_path: Path) -> None:
    assert run(KEEP_PREDICTIONS=False).intervals
    assert not (tmp_path / "run" / "predictions.parquet").exists()


def test_runs_on_the_same_rows_are_tested_against_the_first(run: Run, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from adapt_core.cli import cli

    run()
    run(OUTPUT_DIR=str(tmp_path / "still"), LR=0.0)
    run(OUTPUT_DIR=str(tmp_path / "fewer"), MAX_EVAL_SAMPLES=16)
    folders = [str(tmp_path / name) for name in ("run", "still", "fewer")]
    page = tmp_path / "compared.html"
    shown = CliRunner().invoke(cli, ["compare", *folders, "-o", str(page)], obj=()).output
    assert "against run" in shown
    assert "p = " in shown
    assert "not tested: the rows differ" in shown
    found = json.loads(CliRunner().invoke(cli, ["compare", *folders, "--json"], obj=()).output)["runs"]
    assert set(found[1]["against_first"]) == {"accuracy", "macro_f1"}
    assert 0 < found[1]["against_first"]["accuracy"]["p"] <= 1
    assert found[2]["against_first"] == {}
    assert "Against run" in page.read_text(encoding="utf-8")


def test_the_report_shows_the_most_confident_mistakes_with_their_escaped_texts(
    run: Run, inbox: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train.jsonl", "validation.jsonl"):
        rows = [json.loads(line) for line in (inbox / name).read_text(encoding="utf-8").splitlines()]
        text = "".join(json.dumps({**row, "text": f"<b>{row['text']}</b>"}) + "\n" for row in rows)
        (data / name).write_text(text, encoding="utf-8")
    run(CUSTOM_DATASET_PATH=str(data), LR=0.0)
    recorded = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))["after"]["worst"]
    mistakes = recorded[0]
    assert mistakes["title"] == "most confident mistakes"
    confidences = [row["confidence"] for row in mistakes["rows"]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(row["expected"] != row["predicted"] for row in mistakes["rows"])
    rows = kept(tmp_path)
    first = mistakes["rows"][0]
    place = rows.columns["row"].index(first["row"])
    assert rows.columns["expected"][place] == first["expected"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    section = page[page.index('id="worst"') :]
    assert "&lt;b&gt;" in section
    assert "<b>" not in section[: section.index("</section>")]
    assert first["input"].startswith("<b>")
