"""The plugin boundary with real wheels in real, empty environments.

Minutes, and a package index is needed: `pytest -m wheels`. The environments are made with uv.
"""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from ..environments import Environment, done

pytestmark = [pytest.mark.wheels, pytest.mark.timeout(1800)]

DISTRIBUTIONS = [
    "adapt-core",
    "adapt-nlp",
    "adapt-vision-mm",
    "adapt-peft-ssf",
    "adapt-fsdp",
    "adapt-verdict",
    "adapt-tune",
    "adapt-gguf",
    "adapt-onnx",
    "adapt-ray",
]


@pytest.fixture(scope="module")
def nlp(uv: str, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with adapt-core and adapt-nlp, as a user installs them."""
    return Environment(uv, tmp_path_factory.mktemp("env") / "nlp", wheels, "adapt-core", "adapt-nlp")


@pytest.fixture
def config(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> Path:
    """A small run."""
    keys = {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "MAX_TRAIN_SAMPLES": 96,
        "EPOCHS": 1,
        "LR": 0.01,
        "NUM_WORKERS": 0,
    }
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps(keys), encoding="utf-8")
    return path


def test_every_distribution_builds_a_wheel_and_an_sdist(wheels: Path) -> None:
    for name in DISTRIBUTIONS:
        stem = f"{name.replace('-', '_')}-0.1.0"
        members = zipfile.ZipFile(wheels / f"{stem}-py3-none-any.whl").namelist()
        package = name.replace("-", "_")
        assert f"{package}/py.typed" in members
        assert any(member.endswith("licenses/LICENSE") for member in members)
        assert not any(member.startswith(("tests/", "docs/")) for member in members)
        with tarfile.open(wheels / f"{stem}.tar.gz") as sdist:
            assert f"{stem}/pyproject.toml" in sdist.getnames()


def test_core_and_nlp_from_wheels_give_a_working_run_though_another_plugin_raises_at_import(
    nlp: Environment, config: Path, tmp_path: Path
) -> None:
    absent = nlp.adapt("run", config, "--set", "method=LoRA", cwd=tmp_path)
    assert absent.returncode == 2
    assert "method 'LoRA' is in adapt-peft-ssf: pip install adapt-peft-ssf" in absent.stderr
    assert json.loads(nlp.adapt("plugins", "--json", cwd=tmp_path).stdout)["broken"] == []
    nlp.install("adapt-raises")
    listed = json.loads(nlp.adapt("plugins", "--json", cwd=tmp_path).stdout)
    broken = {b["distribution"]: b["cause"] for b in listed["broken"]}
    assert broken == {"adapt-raises": "import failed: OSError: libquantum.so.3: cannot open shared object file"}
    assert {"adapt-core", "adapt-nlp"} <= {plugin["distribution"] for plugin in listed["plugins"]}
    finished = nlp.adapt("run", config, "--json", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["status"] == "finished"


def test_core_alone_installs_without_transformers(uv: str, wheels: Path, tmp_path: Path, config: Path) -> None:
    core = Environment(uv, tmp_path / "core", wheels, "adapt-core")
    names = core.packages()
    assert "torch" in names
    assert not names & {"transformers", "datasets", "accelerate", "peft"}
    assert json.loads(core.adapt("plugins", "--json", cwd=tmp_path).stdout)["broken"] == []
    assert core.adapt("doctor", cwd=tmp_path).returncode == 0
    refused = core.adapt("run", config, cwd=tmp_path)
    assert "task 'text_classification' is in adapt-nlp: pip install adapt-nlp" in refused.stderr


def test_a_run_on_ray_stops_and_resumes(uv: str, wheels: Path, config: Path, tmp_path: Path) -> None:
    ray = Environment(uv, tmp_path / "ray", wheels, "adapt-core", "adapt-nlp", "adapt-ray")
    assert not ray.packages() & {"adapt-fsdp"}
    on_ray = ("--set", "launcher=ray", "--set", "num_processes=2", "--set", "use_cpu=true")
    stopped = ray.adapt("run", config, *on_ray, "--set", "STOP_AFTER=2 steps", cwd=tmp_path)
    assert stopped.returncode == 130, stopped.stderr
    assert "stopped by STOP_AFTER at step 2, whose checkpoint is written" in stopped.stderr
    finished = ray.adapt("run", config, *on_ray, "--resume", "--json", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["launcher"] == "ray"
    assert "(step 2)" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_image_classification_needs_no_detector_package(uv: str, wheels: Path, tmp_path: Path) -> None:
    vision = Environment(uv, tmp_path / "vision", wheels, "adapt-core", "adapt-vision-mm")
    names = vision.packages()
    assert {"timm", "torchvision", "pillow"} <= names
    assert not {name for name in names if "mmdet" in name or "mmcv" in name or "mmengine" in name or "mmpose" in name}
    for split, count in (("train", 4), ("val", 2)):
        for name, colour in (("dark", b"\x20\x10\x10"), ("light", b"\xe0\xf0\xf0")):
            folder = tmp_path / "pictures" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.ppm").write_bytes(b"P6 40 40 255\n" + colour * 1600)
    config = {
        "TASK": "image_classification",
        "MODEL_PATH": "resnet10t",
        "CUSTOM_DATASET_PATH": "pictures",
        "OUTPUT_DIR": "run",
        "BATCH_SIZE": 4,
        "EPOCHS": 1,
        "NUM_WORKERS": 0,
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config), encoding="utf-8")
    finished = vision.adapt("run", "c.yaml", "--json", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["metrics"]["after"]["top5_accuracy"] == 1.0
    predicted = vision.adapt("predict", "run", "pictures/val", "--json", cwd=tmp_path)
    assert len(json.loads(predicted.stdout)) == 4


def test_detectors_train_with_neither_a_compiler_nor_libgl(uv: str, wheels: Path, tmp_path: Path) -> None:
    """README's two lines of pip, and where the GUI build of OpenCV won, the line that the error gives."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "libGL.so.1").touch()  # a file that is no library: whatever asks for libGL cannot be loaded
    bare = {"CC": "false", "CXX": "false", "LD_LIBRARY_PATH": str(hidden)}
    vision = Environment(uv, tmp_path / "detection", wheels, "adapt-core", "adapt-vision-mm[detection]")
    python = vision.folder / "bin" / "python"
    done(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "mmpose")
    (tmp_path / "photos").mkdir()
    images = [{"id": number, "file_name": f"{number}.ppm", "width": 64, "height": 64} for number in (1, 2)]
    for image in images:
        (tmp_path / "photos" / image["file_name"]).write_bytes(b"P6 64 64 255\n" + b"\x20\x80\xe0" * 4096)
    box = {"category_id": 1, "bbox": [8, 8, 40, 40], "area": 1600, "iscrowd": 0}
    data = {
        "images": images,
        "categories": [{"id": 1, "name": "square"}],
        "annotations": [{**box, "id": image["id"], "image_id": image["id"]} for image in images],
    }
    (tmp_path / "photos" / "train.json").write_text(json.dumps(data), encoding="utf-8")
    config = {
        "TASK": "object_detection",
        "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
        "CUSTOM_DATASET_PATH": "photos",
        "OUTPUT_DIR": "run",
        "image_size": 64,
        "BATCH_SIZE": 2,
        "MAX_STEPS": 1,
        "DO_EVAL": False,
        "NUM_WORKERS": 0,
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config), encoding="utf-8")
    finished = vision.adapt("run", "c.yaml", "--json", cwd=tmp_path, **bare)
    if "OpenCV cannot be loaded here" in finished.stderr:
        assert finished.returncode == 2
        assert "pip install opencv-python-headless" in finished.stderr
        done(uv, "pip", "uninstall", "--python", python, "opencv-python", "opencv-python-headless")
        vision.install("opencv-python-headless")
        finished = vision.adapt("run", "c.yaml", "--json", cwd=tmp_path, **bare)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["steps"] == 1
    done(
        python,
        "-c",
        "from adapt_vision_mm.openmmlab import availability; availability.import_openmmlab('mmpose')",
        cwd=tmp_path,
        **bare,
    )
