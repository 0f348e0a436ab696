"""Plugins: found, told apart, and quarantined when broken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from adapt_core.config.reader import read_text
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError, InputError
from adapt_core.hf import HF_LOOP
from adapt_core.plugin import registry as registry_module
from adapt_core.plugin import specs
from adapt_core.plugin.entry_points import PluginEntry
from adapt_core.plugin.registry import Provenance, Registry
from adapt_core.plugin.specs import MethodSpec, TaskSpec, hookimpl

from .. import fakes

OTHER = Provenance("other", "adapt-other", "0.9")


def broken_causes(registry: Registry) -> list[str]:
    return [f"{b.provenance.distribution} {b.provenance.version}: {b.cause}" for b in registry.broken]


def add(registry: Registry, plugin: Any) -> Registry:
    registry.add(plugin, OTHER)
    return registry


def test_each_thing_keeps_its_provenance() -> None:
    registry = fakes.registry_with_all()
    assert str(registry.methods.by_name["lora"].provenance) == "adapt-tests 2.0"
    assert str(registry.methods.by_name["full"].provenance) == "adapt-core 1.0"


def test_names_and_aliases_match_without_regard_to_case() -> None:
    registry = fakes.registry_with_all()
    assert registry.launchers.find("NONE") is registry.launchers.find("local")
    assert registry.methods.find("LORA") is registry.methods.find("lora")


@pytest.mark.parametrize(
    ("plugin", "cause"),
    [
        (fakes.plugin(adapt_tasks=RuntimeError("boom")), "adapt_tasks() raised RuntimeError: boom"),
        (fakes.plugin(adapt_tasks=SystemExit(0)), "adapt_tasks() raised SystemExit: 0"),
        (fakes.plugin(adapt_methods={"LoRA": 1}), "must return a list of MethodSpec, not dict"),
        (fakes.plugin(adapt_tasks=["words"]), "returned a str, not a TaskSpec"),
        (fakes.plugin(adapt_methods=[fakes.task()]), "returned a TaskSpec, not a MethodSpec"),
        (fakes.plugin(adapt_taskz=[]), "hooks do not fit: ValueError: adapt_taskz is not a hook of adapt"),
        (SimpleNamespace(adapt_hook_api=99), "written for hook API 99"),
        (SimpleNamespace(adapt_tasks=hookimpl(lambda surprise: [])), "hooks do not fit"),
    ],
)
def test_a_broken_plugin_is_kept_apart_with_its_cause(plugin: Any, cause: str) -> None:
    registry = add(fakes.registry_with_all(), plugin)
    assert len(registry.broken) == 1
    assert broken_causes(registry)[0].startswith("adapt-other 0.9: ")
    assert cause in broken_causes(registry)[0]
    assert registry.tasks.find("words") is not None


def test_a_plugin_that_exits_when_it_is_imported_is_kept_apart(monkeypatch: Any, tmp_path: Any) -> None:
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    entry = PluginEntry("leaving", "leaving")
    monkeypatch.setattr(registry_module, "plugin_entries", lambda group: [entry])
    assert broken_causes(Registry.discover()) == ["unknown distribution unknown: import failed: SystemExit: 0"]


def test_what_a_half_broken_plugin_can_still_do_it_does() -> None:
    registry = add(
        fakes.registry(), fakes.plugin(adapt_tasks=[fakes.task("sorting")], adapt_methods=ValueError("no methods"))
    )
    assert registry.tasks.find("sorting") is not None
    assert "no methods" in broken_causes(registry)[0]


def test_a_plugin_for_this_hook_api_or_an_older_one_is_welcome() -> None:
    plugin = fakes.plugin(adapt_tasks=[fakes.task("sorting")])
    plugin.adapt_hook_api = specs.HOOK_API
    assert add(fakes.registry(), plugin).tasks.find("sorting") is not None


def config(text: str) -> RunConfig:
    return RunConfig(tuple(read_text(f"MODEL_PATH: m\nCUSTOM_DATASET_PATH: d\n{text}", "c.yaml")))


def test_core_keeps_its_names() -> None:
    usurper = fakes.plugin(adapt_methods=[MethodSpec(name="Full", summary="", implementation="evil:Full")])
    registry = add(fakes.registry_with_all(), usurper)
    assert "method 'full' is already registered by adapt-core 1.0" in broken_causes(registry)[0]
    assert resolve(config("TASK: words\n"), registry).method.implementation == "adapt_core.methods.full:Full"


def test_a_name_taken_twice_is_an_error_only_for_a_run_that_asks_for_it() -> None:
    registry = add(fakes.registry_with_all(), fakes.plugin(adapt_tasks=[fakes.task("words")]))
    assert resolve(config("TASK: text_generation\n"), registry).task.name == "text_generation"
    with pytest.raises(ConfigError, match=r"registered by adapt-tests 2\.0 and adapt-other 0\.9.*-p no:other"):
        resolve(config("TASK: words\n"), registry)


def test_a_run_that_asks_for_a_broken_plugin_is_told_its_cause() -> None:
    registry = fakes.registry()
    registry.add(fakes.plugin(adapt_tasks=OSError("libfoo.so is missing")), Provenance("nlp", "adapt-nlp", "0.1"))
    with pytest.raises(ConfigError, match=r"adapt-nlp 0\.1 is broken .*libfoo\.so is missing"):
        resolve(config("TASK: text_generation\n"), registry)


def test_two_chosen_specs_that_declare_one_key_cannot_run_together() -> None:
    registry = fakes.registry(
        adapt_tasks=[fakes.task(params=fakes.RankParams)], adapt_methods=fakes.ALL_HOOKS["adapt_methods"]
    )
    with pytest.raises(ConfigError, match="both words and LoRA"):
        resolve(config("TASK: words\nmethod: LoRA\n"), registry)


@pytest.mark.parametrize(
    "wrong",
    [
        {"implementation": "no_colon"},
        {"params": dict},
        {"params": 3},
        {"params": "no_colon"},
        {"loop": "hf"},
    ],
)
def test_a_wrong_spec_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        TaskSpec(**{"name": "x", "summary": "", "implementation": "a:B", "loop": HF_LOOP, **wrong})


def test_switching_off_a_plugin_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(InputError, match="no plugin of that name"):
        Registry.discover(["no-such-plugin"])


def test_a_plugin_is_switched_off_by_entry_point_or_distribution_name(monkeypatch: pytest.MonkeyPatch) -> None:
    if Registry.discover().provenance.get("nlp") is None:
        pytest.skip("adapt-nlp is not installed")
    assert Registry.discover(["nlp"]).disabled == ["nlp"]
    assert Registry.discover(["adapt_nlp"]).tasks.find("text_classification") is None
    monkeypatch.setenv("ADAPT_DISABLE_PLUGINS", "adapt-nlp, never-installed")
    assert Registry.discover().disabled == ["nlp"]


def test_core_cannot_be_switched_off() -> None:
    assert Registry.discover(["core"]).methods.find("full") is not None


def test_an_observer_that_fails_is_left_out_and_the_others_go_on(tmp_path: Any, caplog: Any) -> None:
    from adapt_core.run_folder.paths import RunFolder
    from adapt_core.runtime.progress import SilentReporter
    from adapt_core.runtime.recorder import MetricRecorder

    seen: list[dict[str, float]] = []

    def good(step: int, metrics: Any) -> None:
        seen.append({"step": step, **metrics})

    def bad(step: int) -> None:
        raise RuntimeError("tracker offline")

    good.__name__ = bad.__name__ = "adapt_metrics"
    registry = fakes.registry()
    registry.add(SimpleNamespace(adapt_metrics=hookimpl(good)), Provenance("good", "good", "1"))
    registry.add(SimpleNamespace(adapt_metrics=hookimpl(bad)), Provenance("bad", "bad", "1"))
    recorder = MetricRecorder(RunFolder(tmp_path), SilentReporter(), registry.manager, is_main=True)
    recorder.metrics("train", 1, 0.5, {"loss": 2.0})
    recorder.metrics("train", 2, 1.0, {"loss": 1.0})
    assert seen == [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    assert sum("tracker offline" in record.getMessage() for record in caplog.records) == 1
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
