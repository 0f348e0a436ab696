"""The contract of a launcher."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import run
from adapt_core.errors import InputError, InterruptedRunError


class LauncherContract:
    """Derive a test class; give it `config`: a small run under the launcher (`DDP: true`, ...), without OUTPUT_DIR."""

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls) -> Mapping[str, Any]:
        """Return a config that trains in seconds under the launcher."""
        raise NotImplementedError("give the contract a config: override the fixture config (scope class)")

    def test_a_run_ends_in_one_result(self, config: Mapping[str, Any], tmp_path: Path) -> None:
        result = run({**config, "OUTPUT_DIR": str(tmp_path / "run")})
        assert result.status == "finished"
        assert result.training_check["verdict"] == "learned", "give the config at least three steps"
        stored = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
        assert stored["metrics"] == json.loads(json.dumps(result.metrics))
        steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
        assert sum(line["phase"] == "after" for line in steps) == 1, "more than one process wrote figures"

    def test_a_stop_leaves_a_checkpoint_from_which_the_run_goes_on(
        self, config: Mapping[str, Any], tmp_path: Path
    ) -> None:
        given = {**config, "OUTPUT_DIR": str(tmp_path / "run")}
        with pytest.raises(InterruptedRunError, match="stopped by STOP_AFTER at step 2, whose checkpoint is written"):
            run({**given, "STOP_AFTER": "2 steps"})
        assert run(given, resume=True).status == "finished"
        assert "(step 2)" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")

    def test_a_fault_of_the_user_s_in_the_work_stays_one(self, config: Mapping[str, Any], tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        with pytest.raises(InputError):
            run({**config, "CUSTOM_DATASET_PATH": str(empty), "OUTPUT_DIR": str(tmp_path / "run")})
        assert not (tmp_path / "run" / "result.json").exists()
