"""The predictions of each validation image, by which runs are compared."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapt_core.report.paired import pairs
from adapt_core.run_folder.paths import RunFolder
from adapt_core.testing.reports import figures_without_place
from adapt_core.uncertainty.kept_rows import KeptRows, read_rows

from ..pictures import COLOURS, picture


def kept(folder: Path) -> KeptRows:
    found = read_rows(RunFolder(folder))
    assert found is not None
    return found


def test_other_pictures_of_the_same_classes_are_other_rows(
    run: Callable[..., Any], pictures: Path, tmp_path: Path
) -> None:
    others = Path(shutil.copytree(pictures, tmp_path / "others"))
    picture(next(iter(COLOURS)), 999).save(others / "val" / next(iter(COLOURS)) / "0.jpg", quality=92)
    run(VERDICT="none")
    for name, data in (("again", pictures), ("other", others)):
        run(VERDICT="none", LR=0.0, OUTPUT_DIR=str(tmp_path / name), CUSTOM_DATASET_PATH=str(data))
    again, other = pairs([kept(tmp_path / name) for name in ("run", "again", "other")])
    assert set(again.tests) == {"accuracy", "macro_f1"}
    assert other.why_not == "not tested: the rows differ, 11 of 12 and 12 in common"


def test_each_figure_of_the_report_is_in_the_result(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run()
    assert result.per_class["labels"]
    assert figures_without_place(tmp_path / "run") == []
