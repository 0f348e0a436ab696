"""Shell habits: completion, pipes that close, colours, and how much is said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.cli import COMMANDS
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.report.configuration import settings
from adapt_core.runtime.logs import logging_to
from adapt_core.runtime.progress import LiveReporter, PlainReporter, QuietReporter, make_reporter

from .. import fakes
from ..runtime.test_progress import Terminal

Adapt = Callable[..., Any]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_of_every_command(adapt: Adapt, command: str) -> None:
    text = adapt(command, "--help").stdout
    assert f"  adapt {command}" in text.partition("\n\n")[2]


@pytest.mark.parametrize("command", ["run", "check", "predict", "export", "compare", "plugins", "params", "doctor"])
def test_commands_that_print_facts_take_json(adapt: Adapt, command: str) -> None:
    assert "--json" in adapt(command, "--help").stdout


@pytest.mark.parametrize("command", ["--help", "params", "plugins", "doctor"])
def test_a_reader_that_leaves_at_once_does_no_harm(tmp_path: Path, command: str) -> None:
    # The pipe's end for reading is closed before anything is written.
    piped = subprocess.Popen(
        [sys.executable, "-m", "adapt_core", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert piped.stdout is not None
    piped.stdout.close()
    assert piped.stderr is not None
    errors = piped.stderr.read()
    assert (piped.wait(timeout=120), errors) == (0, b"")


@pytest.mark.parametrize(("shell", "sign"), [("bash", "complete"), ("zsh", "#compdef adapt"), ("fish", "complete")])
def test_completion_scripts_are_printed(adapt: Adapt, shell: str, sign: str) -> None:
    script = adapt("completion", shell).stdout
    assert sign in script
    assert "_ADAPT_COMPLETE" in script


def completions(adapt: Adapt, words: str) -> list[str]:
    asked = {"_ADAPT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    return [line.partition(",")[2] for line in adapt(env=asked).stdout.splitlines()]


def test_commands_methods_and_options_are_completed(adapt: Adapt) -> None:
    assert completions(adapt, "adapt pl") == ["plugins"]
    assert completions(adapt, "adapt init x --method la") == ["last_layer"]
    assert "--dry-run" in completions(adapt, "adapt run --dr")


@pytest.mark.parametrize("wanted", [True, False])
def test_no_color_takes_the_colours_from_a_live_screen(monkeypatch: pytest.MonkeyPatch, wanted: bool) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not wanted:
        monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    reporter = LiveReporter(terminal)
    reporter.start("training", total=2)
    reporter.update(1, {"loss": 1.0}, 1.0)
    reporter.close()
    assert bool(re.search(r"\x1b\[[\d;]*\b3[0-8]", terminal.getvalue())) == wanted


def test_a_pipe_gets_no_escape_sequences(adapt: Adapt) -> None:
    assert "\x1b" not in adapt("plugins").stdout + adapt("trian").stderr


def test_quiet_leaves_out_progress_and_verbose_adds_details(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import logging

    def said(verbosity: str) -> list[str]:
        monkeypatch.setenv("ADAPT_VERBOSITY", verbosity)
        reporter = make_reporter(is_main=True)
        with logging_to([], reporter, ["adapt_core"]):
            ours, other = logging.getLogger("adapt_core.x"), logging.getLogger("library")
            for level in (logging.DEBUG, logging.INFO, logging.WARNING):
                ours.log(level, "ours %d", level)
                other.log(level, "other %d", level)
            reporter.start("training", total=1)
            reporter.update(1, {"loss": 1.0}, 1.0)
            reporter.close()
        return [line for line in capsys.readouterr().err.splitlines() if line]

    assert said("quiet") == ["warning: ours 30"]
    assert said("normal")[:2] == ["ours 20", "warning: ours 30"]
    assert said("verbose")[:4] == ["ours 10", "ours 20", "warning: ours 30", "warning: other 30"]
    assert said("normal")[2].startswith("training 1/1")
    assert isinstance(make_reporter(is_main=True), PlainReporter)
    monkeypatch.setenv("ADAPT_VERBOSITY", "quiet")
    assert isinstance(make_reporter(is_main=True), QuietReporter)


def test_the_flags_of_the_command_say_how_much(adapt: Adapt, tmp_path: Path) -> None:
    for flag in ("-q", "-v", "--quiet", "--verbose"):
        assert adapt("run", "absent.yaml", flag).returncode == 2
    assert "no such option" in adapt("plugins", "-q").stderr.casefold()


def test_a_default_of_the_task_is_not_told_as_the_user_s_change(tmp_path: Path) -> None:
    config = {"TASK": "words", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", "OUTPUT_DIR": str(tmp_path), "LR": 0.5}
    registry = fakes.registry_with_all()
    plan = resolve(RunConfig.read(config), registry)
    assert plan.data.max_train_samples == 1000  # of this task
    changed = {one.key for one in settings(plan, registry) if one.changed}
    assert "LR" in changed
    assert "MAX_TRAIN_SAMPLES" not in changed


def test_dry_run_lists_what_the_user_changed(adapt: Adapt, tmp_path: Path, inbox: Path, tiny_encoder: Path) -> None:
    if "nlp" not in {p["name"] for p in json.loads(adapt("plugins", "--json").stdout)["plugins"]}:
        pytest.skip("adapt-nlp is not installed")
    config = {
        "TASK": "summarization",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "input_column": "text",
        "target_column": "label",
        "LR": 0.5,
        "SEED": 7,
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config), encoding="utf-8")
    told = adapt("run", "c.yaml", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert "SEED" in told.stdout
    assert "GROUP_BY_LENGTH" not in told.stdout  # summarization's own default
