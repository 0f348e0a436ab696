"""The contract of a task, checked on a small config of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapt_core.api import check, predict, run
from adapt_core.testing.forks import LIBRARIES, fork_server_of


def documented_keys(page: Path, table: int = 0) -> set[str]:
    """Return the keys of predictions that a page of documentation lists.

    Args:
        page: Markdown, with a table headed "| key of a prediction | meaning |".
        table: which of several such tables, from 0.
    """
    rows = page.read_text(encoding="utf-8").split("| key of a prediction | meaning |\n")[table + 1].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE))


class TaskContract:
    """Derive a test class; give it `config` (data and a small model, without OUTPUT_DIR) and `inputs`.

    Attributes:
        prediction_keys: the keys that the task's documentation promises; not compared where it is empty.
    """

    prediction_keys: ClassVar[Collection[str]] = ()

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls) -> Mapping[str, Any]:
        """Return a config that trains in seconds."""
        raise NotImplementedError("give the contract a config: override the fixture config (scope class)")

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        """Return inputs for `adapt predict`: texts or files."""
        raise NotImplementedError("give the contract inputs: override the fixture inputs (scope class)")

    @pytest.fixture(scope="class")
    @classmethod
    def finished(cls, config: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return the folder of a finished run."""
        folder = tmp_path_factory.mktemp("contract") / "run"
        run({**config, "OUTPUT_DIR": str(folder)})
        return folder

    def test_its_checks_pass_and_need_no_torch(self, config: Mapping[str, Any], tmp_path: Path) -> None:
        assert check({**config, "OUTPUT_DIR": str(tmp_path)}).task.name
        file = tmp_path / "config.json"
        file.write_text(json.dumps({**config, "OUTPUT_DIR": str(tmp_path / "run")}), encoding="utf-8")
        code = "import sys; from adapt_core.api import check; check(sys.argv[1]); assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code, str(file)], check=True, timeout=120)

    def test_a_run_learns_and_reports_before_and_after(self, finished: Path) -> None:
        result = json.loads((finished / "result.json").read_text(encoding="utf-8"))
        assert result["status"] == "finished"
        assert result["training_check"]["verdict"] == "learned", "give the config at least three steps"
        assert result["metrics"]["before"].keys() == result["metrics"]["after"].keys()

    def test_predictions_are_plain_data_one_for_each_input(self, finished: Path, inputs: Sequence[str]) -> None:
        predictions = predict(finished, inputs)
        assert len(predictions) == len(inputs)
        assert json.loads(json.dumps(predictions)) == predictions
        if self.prediction_keys:
            assert [set(prediction) for prediction in predictions] == [set(self.prediction_keys)] * len(inputs)

    def test_the_loading_lines_of_the_model_card_work_without_adapt(self, finished: Path) -> None:
        card = (finished / "README.md").read_text(encoding="utf-8")
        lines = card.partition("```python\n")[2].partition("```")[0]
        code = f"{lines}\nimport sys\nassert not any(name.startswith('adapt_') for name in sys.modules)\n"
        done = fork_server_of(*LIBRARIES).run(code, folder=finished)
        assert done.returncode == 0, done.stderr
