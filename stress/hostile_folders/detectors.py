"""What may be planted in a run of a detector: its config is Python, and names what is built."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from adapt_core.run_folder.checkpoints import seal
from stress.hostile_folders.kinds import FIRST, Kind, code, pickled, reconfigured

_CONFIG = Path("model/config.py")


def _appended(*lines: str) -> Callable[[Path, Path], None]:
    """Append lines to model/config.py. In them MARKER is the marker, CODE leaves it, RUN is the run folder."""

    def plant(run: Path, marker: Path) -> None:
        (run / "own_module.py").write_text(code(marker), encoding="utf-8")
        pickled(run / "more.pth", marker)
        words = {"MARKER": str(marker), "CODE": code(marker).strip(), "RUN": str(run)}
        with (run / _CONFIG).open("a", encoding="utf-8") as file:
            for line in lines:
                for word, value in words.items():
                    line = line.replace(word, value)
                file.write(f"\n{line}\n")

    return plant


def _in_model(old: str, new: str) -> Callable[[Path, Path], None]:
    """Replace text in model/config.py once; in the new one MARKER and RUN as in `_appended`."""

    def plant(run: Path, marker: Path) -> None:
        _appended()(run, marker)
        text = (run / _CONFIG).read_text(encoding="utf-8")
        assert old in text, f"model/config.py has no {old}"
        changed = new.replace("MARKER", str(marker)).replace("RUN", str(run))
        (run / _CONFIG).write_text(text.replace(old, changed, 1), encoding="utf-8")

    return plant


def _checkpoint(run: Path, marker: Path) -> None:
    pickled(run / "model" / "checkpoint.pth", marker)


def _training_state(run: Path, marker: Path) -> None:
    pickled(run / FIRST / "state.pt", marker)
    seal(run / FIRST)


def _python_of_the_config(run: Path, marker: Path) -> None:
    shutil.rmtree(run / "model")
    (run / "own.py").write_text(code(marker) + "model = dict(type='RTMDet')\n", encoding="utf-8")
    reconfigured(run, MODEL_PATH=str(run / "own.py"), cfg_options=None)


def _options_of_the_config(run: Path, marker: Path) -> None:
    shutil.rmtree(run / "model")
    made = {"type": "mmengine.mkdir_or_exist", "dir_name": str(marker)}
    reconfigured(run, cfg_options={f"model.neck.{key}": value for key, value in made.items()})


_BACKBONE = "backbone=dict("
_INIT = "init_cfg=None"
_NECK = "neck=dict("
_NMS = "nms=dict("

KINDS = [
    Kind("code in the config", "detector", _appended("CODE"), with_trust="predict"),
    Kind("a module that the config imports", "detector", _appended("custom_imports = dict(imports=['own_module'])")),
    Kind("a config below the config", "detector", _appended("_base_ = ['RUN/own_module.py']")),
    Kind(
        "a function by its dotted name",
        "detector",
        _in_model(_NECK, "neck=dict(type='os.mkdir', path='MARKER'), more=dict("),
    ),
    Kind(
        "a function of OpenMMLab by its name",
        "detector",
        _in_model(_NECK, "neck=dict(type='mmengine.mkdir_or_exist', dir_name='MARKER'), more=dict("),
    ),
    Kind("an operator that is evaluated", "detector", _in_model(_NMS, "nms=dict(type='open(0)'), more=dict(")),
    Kind("a package that would be imported", "detector", _in_model(_BACKBONE, "backbone=dict(_scope_='own_module',")),
    Kind(
        "a teacher with a config of its own",
        "detector",
        _in_model(
            "model = dict(",
            "model = dict(distilled=dict(type='KnowledgeDistillationSingleStageDetector', "
            "teacher_config='RUN/own_module.py'),",
        ),
    ),
    Kind(
        "a checkpoint that the config names",
        "detector",
        _in_model(_INIT, "init_cfg=[dict(type='Pretrained', checkpoint='RUN/more.pth')]"),
    ),
    Kind(
        "a checkpoint below another initializer",
        "detector",
        _in_model(
            _INIT,
            "init_cfg=dict(type='Constant', val=0, layer='Conv2d', override=dict(type='Pretrained', name='stem', "
            "checkpoint='RUN/more.pth'))",
        ),
    ),
    Kind("checkpoint.pth with an object in it", "detector", _checkpoint),
    Kind("state.pt of a checkpoint", "detector", _training_state),
    Kind("a Python config that config.yaml names", "detector", _python_of_the_config),
    Kind("cfg_options of config.yaml", "detector", _options_of_the_config),
]
