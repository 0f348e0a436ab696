"""The command line: light commands stay light, and errors are short, placed and coded."""

from __future__ import annotations

import ctypes.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core import builtin
from adapt_core.config.known_keys import DISTRIBUTIONS
from adapt_core.distributed.devices import may_have_gpu

HEAVY = ("torch", "transformers", "datasets", "numpy", "accelerate", "ruamel", "rich")


def modules_after(arguments: list[str], cwd: Path) -> tuple[int, set[str], str]:
    """Exit code, top-level modules and stderr of `adapt ARGUMENTS` in a fresh process."""
    code = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: print('MODULES', json.dumps(sorted({m.partition('.')[0] for m in sys.modules})),"
        " file=sys.stderr))\n"
        f"sys.argv = ['adapt', *{arguments!r}]\n"
        "from adapt_core.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False)
    text, _, modules = done.stderr.rpartition("MODULES ")
    return done.returncode, set(json.loads(modules)), text


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["params"], ["params", "LR"], ["run", "--help"]])
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code, modules, errors = modules_after(arguments, tmp_path)
    assert code == 0, errors
    assert modules & set(HEAVY) == set()


def test_a_bad_key_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("TASK: text_classification\nLERNING_RATE: 1\nSEED: x\n", encoding="utf-8")
    code, modules, errors = modules_after(["run", "c.yaml"], tmp_path)
    assert code == 2
    assert "c.yaml:2: LERNING_RATE: unknown key." in errors
    assert "c.yaml:3: SEED (core): must be a whole number" in errors
    assert modules & {"torch", "transformers", "datasets"} == set()
    assert len(errors.splitlines()) <= 10
    assert not (tmp_path / "runs").exists()


def test_plugins_lists_each_with_distribution_and_version(adapt: Callable[..., Any]) -> None:
    report = json.loads(adapt("plugins", "--json").stdout)
    core = next(plugin for plugin in report["plugins"] if plugin["distribution"] == "adapt-core")
    provided = [item for item in core["provides"] if item["kind"] not in ("metric", "tracker", "exporter")]
    assert {item["name"] for item in provided} == {
        *("full", "last_layer", "local"),
        *("delimited", "json", "sheets", "parquet", "text"),
        "groups",
    }
    assert {"accuracy", "tensorboard", "mlflow", "save_pretrained"} <= {item["name"] for item in core["provides"]}
    assert report["broken"] == []
    told = adapt("plugins").stdout
    assert "every parameter of the model trains" in told
    assert re.search(r"format +delimited +delimited text \(csv, tsv\)", told)


def test_plugins_shows_what_is_switched_off(adapt: Callable[..., Any]) -> None:
    plugins = {plugin["name"] for plugin in json.loads(adapt("plugins", "--json").stdout)["plugins"]}
    if "nlp" not in plugins:
        pytest.skip("adapt-nlp is not installed")
    assert json.loads(adapt("-p", "no:nlp", "plugins", "--json").stdout)["disabled"] == ["nlp"]
    done = adapt("plugins", "--json", env={"ADAPT_DISABLE_PLUGINS": "adapt-nlp"})
    assert json.loads(done.stdout)["disabled"] == ["nlp"]
    refused = adapt("-p", "nlp", "plugins")
    assert refused.returncode == 2
    assert "no:NAME" in refused.stderr


def test_params_shows_defaults_bounds_and_what_turns_a_switch_on(adapt: Callable[..., Any]) -> None:
    batch = json.loads(adapt("params", "batch_size", "--json").stdout)
    found = next(iter(batch.values()))[0]
    assert (found["default"], found["bounds"], found["choices"]) == (16, {"minimum": 1}, None)
    assert json.loads(adapt("params", "keep", "--json").stdout)["core: training"][0]["choices"] == [
        "last",
        "best",
        "soup",
    ]
    assert "[at least 1]" in adapt("params", "BATCH_SIZE").stdout
    switch = json.loads(adapt("params", "FULL_FINE_TUNING", "--json").stdout)
    assert next(iter(switch.values()))[0] | {"help": ""} == {
        "key": "FULL_FINE_TUNING",
        "type": "bool",
        "default": False,
        "on": True,
        "choices": None,
        "bounds": {},
        "may_change_on_resume": False,
        "help": "",
    }
    assert "LAST_LAYERS" in adapt("params", "last_layer").stdout
    two = json.loads(adapt("params", "LR", "EPOCHS", "--json").stdout)["core: training"]
    assert {row["key"] for row in two} == {"LR", "EPOCHS"}
    unknown = adapt("params", "BATCHSIZE")
    assert unknown.returncode == 2
    assert "Did you mean batch_size?" in unknown.stderr


def test_doctor_shows_versions_devices_and_missing_dependencies(forked_adapt: Callable[..., Any]) -> None:
    report = json.loads(forked_adapt("doctor", "--json").stdout)
    assert {"adapt-core", "torch", "click"} <= set(report["versions"])  # core and what it requires
    assert report["devices"][0].startswith("cpu: ")
    missing = [part for part in report["parts"] if not part["present"]]
    assert all(part["add"].startswith("pip install") for part in missing)
    assert "flash-attn" in forked_adapt("doctor").stdout


def test_doctor_asks_torch_only_where_there_may_be_a_gpu(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    code, modules, errors = modules_after(["doctor"], tmp_path)
    assert code == 0, errors
    assert ("torch" in modules) == may_have_gpu()
    assert may_have_gpu() or not torch.cuda.is_available()
    if not ctypes.util.find_library("cuda"):  # of the driver
        assert "torch" not in modules
    assert modules & {"transformers", "datasets", "accelerate"} == set()


def test_doctor_sees_the_gpus_of_torch(forked_adapt: Callable[..., Any]) -> None:
    torch = pytest.importorskip("torch")
    devices = json.loads(forked_adapt("doctor", "--json").stdout)["devices"][1:]
    seen = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    assert [device.partition(": ")[0] for device in devices] == (seen or ["no GPU is visible"])


def test_doctor_asks_core_and_each_plugin_for_its_optional_dependencies(forked_adapt: Callable[..., Any]) -> None:
    report = json.loads(forked_adapt("doctor", "--json").stdout)
    named = {part["name"] for part in report["parts"]}
    assert named >= {*DISTRIBUTIONS, *(dependency.name for dependency in builtin.adapt_optional_dependencies())}
    if "adapt-vision-mm" in report["versions"]:
        assert "mmdet" in named
        without = json.loads(forked_adapt("-p", "no:vision-mm", "doctor", "--json").stdout)["parts"]
        assert "mmdet" not in {part["name"] for part in without}


def test_a_reader_that_leaves_does_no_harm(tmp_path: Path) -> None:
    command = f"{sys.executable} -m adapt_core params | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_an_unknown_command_is_refused(adapt: Callable[..., Any]) -> None:
    done = adapt("trian")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_a_missing_config_is_one_line(adapt: Callable[..., Any]) -> None:
    done = adapt("run", "absent.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: cannot read the config file absent.yaml: No such file or directory. Correct its path, or write one: "
        "adapt init TASK -o FILE.\n"
    )


def test_traceback_is_shown_only_when_asked_for(adapt: Callable[..., Any]) -> None:
    assert "Traceback" not in adapt("run", "absent.yaml").stderr
    assert "Traceback" in adapt("run", "absent.yaml", "--traceback").stderr


def test_check_lists_every_problem_as_json(adapt: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("".join(f"NO_SUCH_{i}: 1\n" for i in range(12)), encoding="utf-8")
    done = adapt("check", "c.yaml", "--json")
    assert done.returncode == 2
    report = json.loads(done.stdout)
    assert report["ok"] is False
    assert sum("unknown key" in problem for problem in report["problems"]) == 12


@pytest.mark.parametrize("command", ["predict", "export"])
def test_what_is_no_run_folder_is_refused(forked_adapt: Callable[..., Any], tmp_path: Path, command: str) -> None:
    rest = ["text"] if command == "predict" else ["--save-method", "safetensors", "-o", "out"]
    done = forked_adapt(command, str(tmp_path), *rest)
    assert done.returncode == 2
    assert "is not a run folder" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "absent", "text"],
        ["export", "absent", "--save-method", "safetensors", "-o", "o"],
        ["compare", "absent"],
    ],
)
def test_a_run_folder_that_is_not_there_is_said(adapt: Callable[..., Any], command: list[str]) -> None:
    done = adapt(*command)
    assert done.returncode == 2
    assert "absent does not exist. Give" in " ".join(done.stderr.split())


def test_export_says_what_it_can_write(adapt: Callable[..., Any]) -> None:
    for words in ([], ["--save-method", "onnx"]):
        done = adapt("export", "run", *words, "-o", "out")
        assert done.returncode == 2
        assert all(form in done.stderr for form in ("full_torch_model", "safetensors", "save_pretrained"))


@pytest.mark.parametrize(
    ("word", "here"),
    [("ner", "text_classification with subtask: ner"), ("qa", "question_answering"), ("learning_rate", "LR")],
)
def test_params_knows_the_words_of_other_tools(adapt: Callable[..., Any], word: str, here: str) -> None:
    done = adapt("params", word)
    assert done.returncode == 2
    assert f"Here it is {here}." in " ".join(done.stderr.split())


@pytest.mark.parametrize(("word", "here"), [("train", "adapt run CONFIG"), ("infer", "adapt predict RUN INPUT")])
def test_another_tool_s_command_is_answered_with_adapt_s(adapt: Callable[..., Any], word: str, here: str) -> None:
    done = adapt(word, "c.yaml")
    assert done.returncode == 2
    assert f"No such command '{word}'. Here it is: {here}" in done.stderr


def test_no_other_name_hides_a_command() -> None:
    from adapt_core import cli

    assert not set(cli.OTHER_COMMANDS) & set(cli.COMMANDS)
    assert {here.split()[0] for here in cli.OTHER_COMMANDS.values()} <= set(cli.COMMANDS)


def test_public_names_are_what_the_package_says() -> None:
    import adapt_core

    assert dir(adapt_core) == sorted(adapt_core.__all__)
    for name in adapt_core.__all__:
        assert getattr(adapt_core, name) is not None
    with pytest.raises(AttributeError):
        _ = adapt_core.no_such_name
