"""What a run reads, noticed when it changes: packages and the hub too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from adapt_core.errors import InputError
from adapt_core.run_folder.inputs import digest_inputs, refuse_overlap
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import decide_resume

from .test_ownership import begin
from .test_run_folder import checkpoint, plan

FIRST, SECOND = "a" * 40, "b" * 40


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.path.mkdir()
    return made


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights in an installed package."""
    weights = tmp_path / "site" / "packed_model_of_tests" / "model" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"0" * 100)
    (tmp_path / "site" / "packed_model_of_tests" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    return weights


def cached(hub: Path, repo: str, revision: str, commit: str) -> None:
    """Lay a commit down as huggingface_hub does."""
    ref = hub / repo / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)


def test_a_changed_package_is_noticed(folder: RunFolder, package: Path) -> None:
    keys = {"MODEL_PATH": "package:packed_model_of_tests/model"}
    begin(folder, plan(folder.path, **keys))
    checkpoint(folder, 1)
    assert decide_resume(plan(folder.path, resume=True, **keys), folder).checkpoint is not None
    package.write_bytes(b"1" * 100)
    with pytest.raises(InputError, match=r"the base model \(MODEL_PATH/model\.safetensors\) has changed"):
        decide_resume(plan(folder.path, resume=True, **keys), folder)


def test_a_run_does_not_write_into_a_package(package: Path) -> None:
    with pytest.raises(InputError, match="inside MODEL_PATH"):
        refuse_overlap(plan(package.parent / "run", MODEL_PATH="package:packed_model_of_tests/model"))


@pytest.mark.parametrize(
    ("keys", "repo", "revision", "words"),
    [
        ({"MODEL_PATH": "org/base"}, "models--org--base", "main", r"the base model \(MODEL_PATH/org/base\)"),
        ({"MODEL_PATH": "base@v2"}, "models--base", "v2", r"the base model \(MODEL_PATH/base@v2\)"),
        (
            {"DATASET": "org/rows", "CUSTOM_DATASET_PATH": None},
            "datasets--org--rows",
            "main",
            r"the data \(DATASET/org/rows\)",
        ),
    ],
)
def test_another_commit_of_the_hub_is_noticed(
    folder: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, str],
    repo: str,
    revision: str,
    words: str,
) -> None:
    hub = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    resumed = plan(folder.path, resume=True, **keys)
    decision = decide_resume(plan(folder.path, **keys), folder)
    assert not any(digests for digests in decision.inputs.values())
    cached(hub, repo, revision, FIRST)  # It is loaded between the decision and the beginning.
    decision.begin(plan(folder.path, **keys))
    checkpoint(folder, 1)
    decide_resume(resumed, folder).begin(resumed)

    early = decide_resume(resumed, folder)
    cached(hub, repo, revision, SECOND)
    with pytest.raises(InputError, match=f"{words} has changed.*RESUME_WITH_CHANGES"):
        early.begin(resumed)
    with pytest.raises(InputError, match=f"{words} has changed.*RESUME_WITH_CHANGES"):
        decide_resume(resumed, folder)

    (hub / repo / "refs" / revision).unlink()
    unknown = decide_resume(resumed, folder)
    cached(hub, repo, revision, SECOND)
    with pytest.raises(InputError, match=f"{words} has changed"):
        unknown.begin(resumed)
    cached(hub, repo, revision, FIRST)
    unknown.begin(resumed)


def test_home_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    cached(tmp_path / "home" / "hub", "models--org--base", "main", FIRST)
    found = digest_inputs(plan(tmp_path / "run", MODEL_PATH="org/base"))
    assert found["base"] == {"MODEL_PATH/org/base": f"commit {FIRST}"}
