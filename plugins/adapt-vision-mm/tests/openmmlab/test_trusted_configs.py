"""The config beside a foreign model is read only where it is plain data."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab.config_files import ModelFiles, find_model
from adapt_vision_mm.openmmlab.trusted_configs import require_plain


def written(folder: Path, source: str) -> Path:
    path = folder / "config.py"
    path.write_text(f"default_scope = 'mmdet'\n{source}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "a = open('x')",
        "a = __import__('os').system('x')",
        "a = [1 for _ in (1,)]",
        "a = f'{default_scope}'",
        "a = dict(**{'b': 1})",
        "a.b = 1",
        "print(1)",
        "_base_ = ['other.py']",
        "custom_imports = dict(imports=['os'])",
        "model = dict(backbone=dict(type='os.system', command='x'))",
        "model = dict({'type': 'os.system', 'command': 'x'})",
        "model = dict(neck=[{'type': 'mmengine.fileio.os.system'}])",
        "a = '{{ $ENV:NOTHING:x }}'",
        "a = (",
    ],
)
def test_what_would_run_is_refused_with_its_line(tmp_path: Path, source: str) -> None:
    config = written(tmp_path, source)
    with pytest.raises(InputError, match=r"config\.py(:2: .*TRUST_REMOTE_CODE=true| cannot be read)"):
        require_plain(config, trusted=False)
    require_plain(config, trusted=True)


def test_what_mmengine_writes_is_read(tmp_path: Path) -> None:
    source = """model = dict(
    bbox_head=dict(anchor=dict(scales=[8, -1, 0.5], type='mmdet.AnchorGenerator'), loss=None, type='RetinaHead'),
    classes={'a': ('b', ), 0: True})"""
    require_plain(written(tmp_path, source), trusted=False)
    Config = pytest.importorskip("mmengine.config", reason="needs adapt-vision-mm[detection]").Config
    again = tmp_path / "again.py"
    Config.fromfile(str(tmp_path / "config.py")).dump(str(again))
    require_plain(again, trusted=False)


def test_a_run_on_a_foreign_folder_stops_before_anything_runs(tmp_path: Path) -> None:
    pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
    import adapt_core

    mark = tmp_path / "it-ran"
    written(tmp_path, f"open({str(mark)!r}, 'w')")
    keys = {"TASK": "object_detection", "MODEL_PATH": str(tmp_path), "CUSTOM_DATASET_PATH": str(tmp_path)}
    with pytest.raises(InputError, match=r"config\.py:2: this is code"):
        adapt_core.check(keys)
    assert not mark.exists()


def test_a_python_config_that_a_foreign_run_names_is_read_only_with_trust(tmp_path: Path) -> None:
    config = written(tmp_path, f"open({str(tmp_path / 'it-ran')!r}, 'w')")

    def plan(*, foreign: bool, trust: bool) -> Any:
        model = SimpleNamespace(
            trust_remote_code=trust, local_model_path=None, model_checkpoint=None, model_path=str(config)
        )
        return SimpleNamespace(model=model, foreign=foreign)

    with pytest.raises(InputError, match=r"config\.py:2: this is code"):
        find_model(plan(foreign=True, trust=False), "mmdet")
    assert find_model(plan(foreign=True, trust=True), "mmdet") == ModelFiles(config, None)
    assert find_model(plan(foreign=False, trust=False), "mmdet") == ModelFiles(config, None)
    written(tmp_path, "model = dict()")
    assert find_model(plan(foreign=True, trust=False), "mmdet") == ModelFiles(config, None, known_types_only=True)
    assert not (tmp_path / "it-ran").exists()
