"""EXPORT and `adapt export --to`: models in other forms, each asked in a fresh process without adapt."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import attrs
import pytest

import adapt_core
from adapt_core.errors import ConfigError, DefectError, InputError
from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.params import NoParams, param
from adapt_core.plugin.registry import Provenance, Registry
from adapt_core.plugin.specs import hookimpl
from adapt_core.testing import ExporterContract

Run = Callable[..., Any]
Keys = dict[str, Any]


@pytest.fixture(scope="module")
def finished_run(small: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    adapt_core.run({**small, "OUTPUT_DIR": str(folder)})
    return folder


@pytest.mark.slow
class TestSafetensors(ExporterContract):
    name = "safetensors"


class TestStateDict(ExporterContract):
    name = "state_dict"


@pytest.mark.slow
class TestFullTorchModel(ExporterContract):
    name = "full_torch_model"


@pytest.mark.slow
class TestSavePretrained(ExporterContract):
    name = "save_pretrained"


def test_a_run_tells_what_became_of_each_export(run: Run, tmp_path: Path) -> None:
    result = run(EXPORT="safetensors")
    folder = tmp_path / "run"
    (record,) = result.exports.values()
    assert record["folder"] == result.artifacts["export safetensors"] == "exports/safetensors"
    assert (folder / "exports" / "safetensors" / "model.safetensors").is_file()
    assert result.artifact_bytes["export safetensors"] == record["bytes"]
    (asked,) = record["checks"]
    assert asked["inputs"] == "validation"
    assert asked["rows"] == 8
    assert asked["max_difference"] == 0 or asked["max_difference"] < 1e-5
    assert asked["same_argmax"] == 1.0
    assert asked["latency_ms"] > 0 < asked["torch_latency_ms"]
    assert json.loads((folder / "result.json").read_text())["exports"]["safetensors"] == record
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "## safetensors" in card
    assert 'from_pretrained("exports/safetensors")' in card
    assert "<h2>Exports</h2>" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_other_results_of_a_run_with_exports_are_those_of_one_without(run: Run, tmp_path: Path) -> None:
    first = run()
    (tmp_path / "run").rename(tmp_path / "first")
    second = run(EXPORT="safetensors")
    assert second.metrics == first.metrics
    assert second.merge == first.merge
    (one,) = (tmp_path / "first" / "model").glob("*.safetensors")
    assert one.read_bytes() == (tmp_path / "run" / "model" / one.name).read_bytes()


@attrs.frozen
class WrongParams:
    """Parameters of an exporter of the tests'."""

    by: float = param(1.0, "How much too large.", key="WRONG_BY")


PROGRAM = """
import sys, numpy
given = numpy.load(sys.argv[2])
assert not any(name.startswith(("adapt_", "torch")) for name in sys.modules if sys.modules[name])
stored = numpy.load(sys.argv[1] + "/outputs.npy")
numpy.savez(sys.argv[3], logits=stored[: len(given["input_ids"])])
"""


class Wrong:
    """An exporter whose runtime knows the right answers, and gives one of them too large."""

    def __init__(self, params: WrongParams) -> None:
        self._params = params

    def check(self, plan: Any) -> None:
        if plan.training.epochs == 7:
            raise InputError("seven epochs cannot be exported. Train for fewer.")

    def export(self, source: Any, folder: Path) -> None:
        import numpy
        import torch

        with torch.no_grad():
            logits = source.model()(**source.inputs()).logits.numpy()
        logits[2, 1] += self._params.by
        numpy.save(folder / "outputs.npy", logits)
        (folder / "program.py").write_text(PROGRAM)

    def checks(self, source: Any, folder: Path) -> Sequence[Any]:
        from adapt_core.contracts import RuntimeCheck

        return [RuntimeCheck(name="answers", runtime="numpy", program=folder / "program.py")]

    def usage(self, source: Any, folder: str) -> str:
        return f"in {folder}"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin of the tests' with the exporter `wrong`."""
    module = ModuleType("exporters_of_a_test")
    vars(module).update(Wrong=Wrong, WrongParams=WrongParams)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = ExporterSpec(
        name="wrong", summary="one is wrong", implementation=f"{module.__name__}:Wrong", params=WrongParams
    )
    other = ExporterSpec(
        name="frames", summary="of films", implementation="x:y", params=NoParams, tasks=("film_classification",)
    )

    class Plugin:
        @hookimpl
        def adapt_exporters(self) -> list[ExporterSpec]:
            return [spec, other]

    discover = Registry.discover.__func__  # type: ignore[attr-defined]

    def with_plugin(cls: type[Registry], disabled: Sequence[str] = ()) -> Registry:
        registry: Registry = discover(cls, disabled)
        registry.add(Plugin(), Provenance("of-a-test", "adapt-tests", "1"))
        return registry

    monkeypatch.setattr(Registry, "discover", classmethod(with_plugin))


@pytest.mark.usefixtures("plugin")
class TestDrift:
    """An export that does not compute what the trained model does."""

    told: ClassVar[str] = (
        r"answers in numpy does not compute what the trained model does: logits differs by 1 at row 2, position 1"
    )

    def test_is_refused_with_its_place_and_nothing_is_left(self, finished_run: Path, tmp_path: Path) -> None:
        with pytest.raises(DefectError, match=self.told):
            adapt_core.export(finished_run, "wrong", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_in_a_run_it_is_a_warning_and_the_run_stands(self, run: Run, tmp_path: Path) -> None:
        result = run(EXPORT=["wrong", "safetensors"])
        assert "does not compute what the trained model does" in result.exports["wrong"]["failed"]
        assert any("the export to wrong failed: answers in numpy" in warning for warning in result.warnings)
        assert sorted(path.name for path in (tmp_path / "run" / "exports").iterdir()) == ["safetensors"]
        assert result.exports["safetensors"]["failed"] is None
        assert (tmp_path / "run" / "model").is_dir()

    def test_within_the_tolerance_it_is_told(self, finished_run: Path, tmp_path: Path) -> None:
        folder = adapt_core.export(finished_run, "wrong", tmp_path / "out", settings=["WRONG_BY=5.0e-05"])
        assert (folder / "README.md").read_text() == "# wrong\n\nin .\n"

    def test_an_exporter_takes_its_own_keys_alone(self, finished_run: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="--set LR: wrong takes WRONG_BY, TRUST_REMOTE_CODE"):
            adapt_core.export(finished_run, "wrong", tmp_path / "out", settings=["LR=1"])

    def test_what_it_foretells_is_told_before_training(self, keys: Keys) -> None:
        with pytest.raises(InputError, match="seven epochs cannot be exported"):
            adapt_core.check({**keys, "EXPORT": "wrong", "EPOCHS": 7})

    def test_of_another_task_it_is_refused_with_the_others(self, keys: Keys) -> None:
        with pytest.raises(ConfigError, match="frames takes models of film_classification, and this is text_classif"):
            adapt_core.check({**keys, "EXPORT": "frames"})
        with pytest.raises(ConfigError, match=r"EXPORT: no exporter 'rong' is registered.*Did you mean wrong\?"):
            adapt_core.check({**keys, "EXPORT": "rong"})
