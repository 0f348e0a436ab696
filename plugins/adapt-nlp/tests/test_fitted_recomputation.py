"""GRADIENT_CHECKPOINTING: auto: the cheapest recomputation that leaves room, foretold, and kept by a resumed run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core
from adapt_core import api
from adapt_core.errors import ConfigError, InputError, InterruptedRunError
from adapt_core.estimate import batch_size as fitting
from adapt_core.estimate.estimate import foretold_memory
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.checkpoints import newest_complete
from adapt_core.testing import small_models

from .short_runs import DATA, losses

Keys = dict[str, Any]
Room = Callable[[Keys], int]

CHOICES: dict[str, Keys] = {
    "nothing is recomputed": {},
    "gated layers are recomputed (RECOMPUTE_MLP)": {"RECOMPUTE_MLP": True},
    "blocks are recomputed, attention is kept (KEEP_ATTENTION)": {
        "GRADIENT_CHECKPOINTING": True,
        "KEEP_ATTENTION": True,
    },
    "blocks are recomputed": {"GRADIENT_CHECKPOINTING": True},
}
"""In words -> the keys that mean the same, the cheapest first."""
KEYS = ("GRADIENT_CHECKPOINTING", "KEEP_ATTENTION", "RECOMPUTE_MLP")
AUTO = {"GRADIENT_CHECKPOINTING": "auto"}


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory, inbox_texts: list[str]) -> Path:
    """A Llama of eight layers, so that what each recomputes shows."""
    return small_models.llama(tmp_path_factory.mktemp("deep"), inbox_texts, num_hidden_layers=8)


@pytest.fixture
def keys(language_keys: Keys, deep: Path) -> Keys:
    return {**language_keys, "MODEL_PATH": str(deep), "MAX_STEPS": 3, "LOGGING_STEPS": 1, "DO_EVAL": False}


def needed(keys: Keys) -> int:
    """What a run is foretold to hold."""
    memory = foretold_memory(api.check(keys, data=DATA), Registry.discover(), "cpu")
    assert memory is not None
    return memory.total


@pytest.fixture
def room_for(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Room:
    """Leaves as much memory as the keys with changes take, and returns it."""

    def leave(changes: Keys) -> int:
        free = int(needed({**keys, **changes}) / fitting.SHARE) + 1
        monkeypatch.setattr(fitting, "_free", lambda device: (0, free))
        return free

    return leave


def stored(folder: Path) -> Keys:
    """The keys of recomputation that a run has in its config.yaml, where they are true."""
    found = adapt_core.check(folder / "config.yaml").keys()
    return {key: True for key in KEYS if found[key]}


@pytest.mark.parametrize("words", CHOICES)
def test_the_cheapest_that_fits_is_chosen_and_foretold(keys: Keys, room_for: Room, words: str) -> None:
    room_for(CHOICES[words])
    found = api.estimate(api.check({**keys, **AUTO}, data=DATA))
    assert found.recomputation is not None
    assert found.recomputation.startswith(f"GRADIENT_CHECKPOINTING auto: {words}: about ")
    assert found.recomputation.count("with nothing recomputed about") == (words != "nothing is recomputed")
    given = api.estimate(api.check({**keys, **CHOICES[words]}, data=DATA))
    assert found.memory == given.memory
    assert found.to_data()["recomputation"] == found.recomputation
    assert given.recomputation is None


def test_the_order_is_that_of_what_they_take(keys: Keys) -> None:
    takes = [needed({**keys, **changes}) for changes in CHOICES.values()]
    assert takes == sorted(takes, reverse=True)


def test_a_run_computes_what_the_chosen_keys_compute_and_says_so(keys: Keys, room_for: Room, tmp_path: Path) -> None:
    words, chosen = list(CHOICES.items())[2]
    room_for(chosen)
    folder = tmp_path / "auto"
    auto = losses({**keys, **AUTO, "OUTPUT_DIR": str(folder)})
    assert stored(folder) == chosen
    assert f"GRADIENT_CHECKPOINTING auto: {words}: about " in (folder / "log.txt").read_text(encoding="utf-8")
    assert auto == losses({**keys, **chosen, "OUTPUT_DIR": str(tmp_path / "given")})


def test_where_nothing_fits_the_run_is_refused(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_free", lambda device: (0, 1000))
    with pytest.raises(InputError, match=r"auto: about .* are needed whatever is recomputed, and 1000 B"):
        api.run({**keys, **AUTO, "OUTPUT_DIR": str(tmp_path / "auto")}, data=DATA)
    assert not (tmp_path / "auto").exists()


def test_a_resumed_run_keeps_what_it_began_with(
    keys: Keys, room_for: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys |= {**AUTO, "INTERVAL": "steps", "INTERVAL_STEPS": 1, "OVERWRITE_OUTPUT_DIR": False}
    keys["OUTPUT_DIR"] = str(tmp_path / "auto")
    chosen = CHOICES["blocks are recomputed"]
    room_for(chosen)
    with pytest.raises(InterruptedRunError):
        api.run({**keys, "STOP_AFTER": "1 steps"}, data=DATA)
    monkeypatch.setattr(fitting, "_free", lambda device: pytest.fail("what is stored stands"))
    api.run(keys, data=DATA, resume=True)
    assert stored(tmp_path / "auto") == chosen


def test_where_memory_runs_out_all_the_same_it_goes_on_with_more(
    keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device whose memory ends after the first checkpoint, unless whole blocks are recomputed."""
    from torch._subclasses.fake_tensor import FakeTensor
    from transformers.models.llama.modeling_llama import LlamaModel

    forward = LlamaModel.forward
    folder = tmp_path / "auto"

    def limited(self: Any, *given: Any, **options: Any) -> Any:
        foretold = isinstance(self.norm.weight, FakeTensor)
        whole = self.training and not (foretold or self.layers[0].gradient_checkpointing)
        if whole and newest_complete(folder / "checkpoints") is not None:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, *given, **options)

    keys |= {"INTERVAL": "steps", "INTERVAL_STEPS": 1, "OVERWRITE_OUTPUT_DIR": False}
    expected = losses({**keys, "OUTPUT_DIR": str(tmp_path / "given")})
    monkeypatch.setattr(LlamaModel, "forward", limited)
    with caplog.at_level(logging.WARNING):
        found = losses({**keys, **AUTO, "OUTPUT_DIR": str(folder)})
    assert "The run goes on with RECOMPUTE_MLP: true." in caplog.text
    assert "The run goes on with GRADIENT_CHECKPOINTING: true and KEEP_ATTENTION: true." in caplog.text
    assert stored(folder) == {"GRADIENT_CHECKPOINTING": True, "KEEP_ATTENTION": True}
    assert found == pytest.approx(expected, rel=1e-6)


def test_with_the_batch_size_the_cheapest_is_chosen_with_which_a_row_fits(keys: Keys, room_for: Room) -> None:
    both = {**keys, **AUTO, "BATCH_SIZE": "auto"}
    room_for({"BATCH_SIZE": 1})
    found = api.estimate(api.check(both, data=DATA))
    assert found.recomputation is not None
    assert found.batch_size is not None
    assert "auto: nothing is recomputed: " in found.recomputation
    assert found.batch_size.startswith("BATCH_SIZE auto: 1 at a time, 16 times a step: ")
    room_for({"BATCH_SIZE": 1, "RECOMPUTE_MLP": True})
    found = api.estimate(api.check(both, data=DATA))
    assert "RECOMPUTE_MLP" in str(found.recomputation)


def test_a_model_without_fused_attention_recomputes_whole_blocks(
    keys: Keys, room_for: Room, tmp_path: Path, inbox_texts: list[str]
) -> None:
    eager = small_models.llama(tmp_path / "eager", inbox_texts, num_hidden_layers=8, attn_implementation="eager")
    keys["MODEL_PATH"] = str(eager)
    room_for(CHOICES["blocks are recomputed"])
    found = api.estimate(api.check({**keys, **AUTO}, data=DATA))
    assert str(found.recomputation).startswith("GRADIENT_CHECKPOINTING auto: blocks are recomputed: ")


def test_what_is_left_to_memory_is_not_given_too(keys: Keys) -> None:
    for key in ("KEEP_ATTENTION", "RECOMPUTE_MLP"):
        with pytest.raises(ConfigError, match=f"{key}.*is for GRADIENT_CHECKPOINTING: auto to choose"):
            api.check({**keys, **AUTO, key: True}, data=DATA)


def test_a_run_that_does_not_train_chooses_nothing(keys: Keys) -> None:
    found = api.estimate(api.check({**keys, **AUTO, "DO_TRAIN": False, "DO_EVAL": True}, data=DATA))
    assert found.recomputation is None


def test_adapt_check_prints_it(keys: Keys, forked_adapt: Callable[..., Any], tmp_path: Path) -> None:
    for split, rows in DATA.items():
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = {**keys, **AUTO, "CUSTOM_DATASET_PATH": str(tmp_path)}
    (tmp_path / "c.json").write_text(json.dumps(config), encoding="utf-8")
    told = " ".join(forked_adapt("check", "c.json").stdout.split())
    assert "GRADIENT_CHECKPOINTING auto: nothing is recomputed: about " in told
