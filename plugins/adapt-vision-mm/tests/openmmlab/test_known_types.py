"""From a config that came with a model, only what adapt knows is built, and no checkpoint in it is unpickled."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.errors import InputError
from adapt_core.nn.pickles import weights_only

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
pytest.importorskip("mmpose", reason="needs mmpose")

from mmengine.config import Config

from adapt_vision_mm.openmmlab import availability, model_config
from adapt_vision_mm.openmmlab.config_files import shipped_configs
from adapt_vision_mm.openmmlab.known_types import require_known

_NEED_TRUST = re.compile(
    r"mmdet\.models\.(mot|reid|trackers|tracking_heads|vis|language_models)\.|mmpose\.models\.distillers\.|"
    r"mmdet\.models\.detectors\.(kd_one_stage|lad|d2_wrapper)$|mmdet\.models\.task_modules\.tracking\."
)
"""Modules of videos, language models and teachers: their models have further files, and adapt does not train them."""


@pytest.fixture(scope="module", autouse=True)
def openmmlab() -> None:
    availability.import_openmmlab("mmpose")


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("model.backbone.type", {"backbone": {"type": "os.mkdir", "path": "x"}}),
        ("model.backbone.type", {"backbone": {"type": "mmengine.mkdir_or_exist", "dir_name": "x"}}),
        ("model.neck.0.type", {"neck": [{"type": "mmdet.apis.inference_detector"}]}),
        ("model.neck.type", {"neck": {"type": "mmpretrain.FPN"}}),
        ("model.neck.type", {"neck": {"type": 7}}),
        ("model.bbox_head.loss.type", {"bbox_head": {"loss": {"type": "NoSuchLoss"}}}),
        ("model.bbox_head.hook.type", {"bbox_head": {"hook": {"type": "EMAHook"}}}),
        ("model.test_cfg.nms.type", {"test_cfg": {"nms": {"type": "open('x', 'w')"}}}),
        ("model.test_cfg.nms.type", {"test_cfg": {"nms": {"type": "print"}}}),
        ("model.neck._scope_", {"neck": {"type": "FPN", "_scope_": "a_module"}}),
        ("model.type", {"type": "KnowledgeDistillationSingleStageDetector", "teacher_config": "teacher.py"}),
        ("model.type", {"type": "DWPoseDistiller", "teacher_cfg": "teacher.py"}),
        ("model.type", {"type": "LAD"}),
        ("model.motion.type", {"motion": {"type": "CameraMotionCompensation", "warp_mode": "x"}}),
        ("model.language_model.type", {"language_model": {"type": "BertModel", "name": "a_folder"}}),
        ("model.head.loss.metainfo", {"head": {"loss": {"type": "OKSLoss", "metainfo": "points.py"}}}),
        ("model.metainfo", {"metainfo": {"from_file": "points.py"}}),
    ],
)
def test_anything_else_is_refused_with_its_place(place: str, changed: dict[str, Any]) -> None:
    config = Config({"model": {"type": "RetinaNet", "backbone": {"type": "mmdet.ResNet", "depth": 18}, **changed}})
    with pytest.raises(InputError) as caught:
        require_known(config, Path("config.py"))
    assert f"config.py: {place}: " in str(caught.value)
    assert "TRUST_REMOTE_CODE=true" in str(caught.value)


def test_a_pipeline_is_held_to_it_and_what_is_not_built_is_not() -> None:
    require_known(Config({"custom_hooks": [{"type": "a.b"}], "test_pipeline": [{"type": "PackDetInputs"}]}), Path("c"))
    dataset = {"type": "CocoDataset", "pipeline": [{"type": "RandomSamplingNegPos", "tokenizer_name": "a_folder"}]}
    with pytest.raises(InputError, match=r"test_dataloader\.dataset\.pipeline\.0\.type"):
        require_known(Config({"test_dataloader": {"dataset": dataset}}), Path("c"))


def known(package: Any, every: int) -> None:
    """Count the shipped configs that are known; the others must be of what needs trust."""
    from mmengine.registry import MODELS

    tried = 0
    for path in list(shipped_configs(package).values())[::every]:
        try:
            config = Config.fromfile(str(path))
        except Exception:  # noqa: BLE001 - some shipped configs need packages that are not installed
            continue
        nodes = [node for _, node in model_config.walk(config.get("model"))]
        if not nodes or any(re.search("mmpretrain|mmcls", f"{n.get('type')}{n.get('_scope_')}") for n in nodes):
            continue
        for node in nodes:
            node.pop("metainfo", None)  # a file of mmpose, which adapt replaces by the data's own points
        tried += 1
        try:
            require_known(Config({"model": config.model}), path)
        except InputError as error:
            name = str(error).split("type: '")[1].partition("'")[0]
            with MODELS.switch_scope_and_registry(package) as registry:
                if not _NEED_TRUST.search(registry.get(name).__module__):
                    raise
    assert tried > 3


@pytest.mark.parametrize("package", ["mmdet", "mmpose"])
def test_configs_of_the_installed_packages_are_known(package: str) -> None:
    known(package, 40)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["mmdet", "mmpose"])
def test_every_config_of_the_installed_packages_is_known(package: str) -> None:
    known(package, 1)


_RESNET = {"type": "mmdet.ResNet", "depth": 18}
_OVERRIDE = {"name": "conv1", "type": "Pretrained", "checkpoint": "FILE"}
_FORMS: list[dict[str, Any]] = [
    {"init_cfg": {"type": "Pretrained", "checkpoint": "FILE"}},
    {"init_cfg": {"type": "mmengine.Pretrained", "checkpoint": "FILE"}},
    {"init_cfg": {"type": "PretrainedInit", "checkpoint": "FILE"}},
    {"init_cfg": [{"type": "Kaiming", "layer": "Conv2d"}, {"type": "Pretrained", "checkpoint": "FILE"}]},
    {"init_cfg": {"type": "Constant", "val": 0, "layer": "Conv2d", "override": _OVERRIDE}},
    {"pretrained": "FILE"},
]


@pytest.mark.parametrize("form", _FORMS)
def test_a_checkpoint_in_a_config_is_left_out_or_read_as_weights(
    form: dict[str, Any], evil: bytes, tmp_path: Path
) -> None:
    """Twice: as adapt reads a config, and kept, as `backbone_weights: pretrained` keeps the backbone's."""
    from mmdet.registry import MODELS

    path = tmp_path / "evil.pth"
    path.write_bytes(evil)

    def config() -> Config:
        text = Config({"model": {"backbone": {**_RESNET, **form}}}).pretty_text
        return Config.fromstring(text.replace("FILE", str(path)), ".py")

    dropped = config()
    model_config.remove_checkpoints(dropped.model, keep_backbone=False)
    assert str(path) not in dropped.pretty_text
    MODELS.build(dropped.model.backbone).init_weights()

    kept = config()
    model_config.remove_checkpoints(kept.model, keep_backbone=True)
    assert str(path) in kept.pretty_text
    with pytest.raises((InputError, KeyError)), weights_only():  # KeyError: no initializer has the name
        MODELS.build(kept.model.backbone).init_weights()


def test_other_initializers_stay() -> None:
    kaiming = {"type": "Kaiming", "layer": "Conv2d"}
    model = {
        "backbone": {"init_cfg": [kaiming, {"type": "Pretrained", "checkpoint": "a"}]},
        "neck": {"pretrained": True},
    }
    model_config.remove_checkpoints(model, keep_backbone=False)
    assert model == {"backbone": {"init_cfg": [kaiming]}, "neck": {"pretrained": False}}


def test_weights_that_a_config_names_are_loaded_where_the_user_asks(tmp_path: Path) -> None:
    from mmdet.registry import MODELS

    plain = MODELS.build({**_RESNET, "init_cfg": None})
    with torch.no_grad():
        plain.conv1.weight.fill_(0.5)
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    init = {"type": "Pretrained", "checkpoint": str(tmp_path / "plain.pth")}
    loaded = MODELS.build({**_RESNET, "init_cfg": init})
    with weights_only():
        loaded.init_weights()
    assert (loaded.conv1.weight == 0.5).all()
