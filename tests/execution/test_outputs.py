"""Where results go: `adapt export -o`, and a standard output that is closed or full. Real commands of a small task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.execution.export import export_finished, export_to
from adapt_core.run_folder.claims import claim

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the task of stress/folders forks")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the task `line`, its data, its base model, a config, and a finished run."""
    import torch

    from stress.folders.plugin import install
    from stress.folders.task import BASE, POINTS, network

    home = tmp_path_factory.mktemp("line")
    install(home / "site")
    for name in ("data", "base"):
        (home / name).mkdir()
    (home / "data" / POINTS).write_text(json.dumps([[float(x), 2.0 * x] for x in range(6)]))
    torch.save(network().state_dict(), home / "base" / BASE)
    keys = {"TASK": "line", "MODEL_PATH": str(home / "base"), "CUSTOM_DATASET_PATH": str(home / "data")}
    config = {**keys, "SAVE_METHOD": "state_dict", "OUTPUT_DIR": str(home / "run")}
    (home / "config.json").write_text(json.dumps(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(home / "site"))
        adapt_core.run(home / "config.json")
        yield home


def adapt(home: Path, *arguments: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run `adapt ARGUMENTS` in the folder, its streams redirected by a shell."""
    path = os.pathsep.join([str(home / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "adapt_core", *arguments]
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)


def in_use(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    return tmp_path / "mine"


def a_file(tmp_path: Path) -> Path:
    (tmp_path / "mine").write_text("mine")
    return tmp_path / "mine"


def a_link(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mine").symlink_to("elsewhere")
    return tmp_path / "mine"


def a_link_to_nothing(tmp_path: Path) -> Path:
    (tmp_path / "mine").symlink_to("elsewhere")
    return tmp_path / "mine"


def in_a_file(tmp_path: Path) -> Path:
    return a_file(tmp_path) / "model"


def in_a_run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    claim(tmp_path / "run", "metrics.jsonl")
    return tmp_path / "run" / "predictions" / "model"


@pytest.mark.parametrize(
    ("arrange", "reason"),
    [
        (in_use, "exists already and is not empty"),
        (a_file, "exists already and is not empty"),
        (a_link, "is a link"),
        (a_link_to_nothing, "is a link"),
        (in_a_file, "cannot be written to"),
        (in_a_run, "is in predictions of the run folder"),
    ],
)
def test_export_touches_nothing_that_is_there(tmp_path: Path, arrange: Callable[[Path], Path], reason: str) -> None:
    target = arrange(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=rf"{reason}.*Give another -o"):
        export_finished(tmp_path / "no-run", "state_dict", target, trust=False)
    assert sorted(tmp_path.rglob("*")) == before


def test_export_writes_into_a_new_or_empty_folder_and_not_into_the_base_model(home: Path) -> None:
    (home / "empty").mkdir()
    for target in (home / "empty", home / "a" / "new" / "one"):
        assert adapt_core.export(home / "run", "state_dict", target) == target
        assert (target / "model_state_dict.pt").is_file()
    before = sorted((home / "base").rglob("*"))
    with pytest.raises(InputError, match="is inside MODEL_PATH"):
        adapt_core.export(home / "run", "state_dict", home / "base" / "exported")
    assert sorted((home / "base").rglob("*")) == before


def test_an_exporter_that_is_not_there_is_told_by_the_option_that_named_it(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--to: no exporter 'state_dicts' is registered.*Did you mean state_dict\?"):
        export_to(home / "run", "state_dicts", tmp_path / "out")


def reads_what_is_gone() -> None:
    Path("/nowhere/tokenizer.json").read_text()


def finds_no_tokenizer() -> None:
    raise OSError("Can't load the tokenizer")  # as transformers does


def fills_the_disk() -> None:
    Path("/dev/full").write_text("x" * 10_000_000)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
@pytest.mark.parametrize(
    ("work", "kind", "told"),
    [
        (reads_what_is_gone, FileNotFoundError, r"No such file or directory: '/nowhere/tokenizer\.json'$"),
        (finds_no_tokenizer, OSError, "^Can't load the tokenizer$"),
        (fills_the_disk, InputError, r"out cannot be written: No space left on device\. Give another -o\.$"),
    ],
)
def test_what_cannot_be_read_is_not_told_as_an_output_that_cannot_be_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[], None], kind: type, told: str
) -> None:
    monkeypatch.setattr("stress.folders.task.Line.save_model", lambda *given: work())
    with pytest.raises(kind, match=told):
        export_to(home / "run", "state_dict", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predictions_are_those_of_the_last_call(home: Path) -> None:
    written = home / "run" / "predictions"
    for name in ("a", "b"):
        adapt_core.predict(home / "run", [f"{name}.jpg"])
        assert [path.name for path in written.iterdir()] == [f"{name}.txt"]
    (written / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"predictions/mine\.txt"):
        adapt_core.predict(home / "run", ["c.jpg"])
    assert {path.name for path in written.iterdir()} == {"b.txt", "mine.txt"}


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [("<&- >&- 2>&-", 0, ""), (">/dev/full", 2, "error: standard output cannot be written")],
)
def test_a_run_is_whole_whatever_becomes_of_its_output(
    home: Path, tmp_path: Path, redirection: str, code: int, said: str
) -> None:
    folder = tmp_path / "run"
    done = adapt(home, "run", "config.json", "--set", f"OUTPUT_DIR={folder}", redirection=redirection)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"
    assert all(json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
    assert (folder / "model" / "seed.txt").read_text() == "42"
