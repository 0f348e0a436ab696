"""Where a process computes: the accelerator that torch sees, DEVICE, and what a training loop can use.

This machine's accelerator is faked at the one place that asks torch for it.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import attrs
import pytest

pytest.importorskip("torch")

from adapt_core.config.plan import Plan
from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.distributed import devices
from adapt_core.errors import ConfigError, InputError
from adapt_core.hf import HF_LOOP
from adapt_core.hf.loop.arguments import training_arguments
from adapt_core.launchers.local import Local
from adapt_core.nn import accelerators
from adapt_core.plugin.params import NoParams
from tests import fakes

CUDA_ONLY = attrs.evolve(HF_LOOP, name="cuda only", accelerators=("cuda",))
REGISTRY = fakes.registry(adapt_tasks=[fakes.task(), fakes.task("boxes", loop=CUDA_ONLY)])


def plan(task: str = "words", **keys: object) -> Plan:
    """A plan of a task of the tests'."""
    return resolve(RunConfig.read({"TASK": task, "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", **keys}), REGISTRY)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str | None:
    """The accelerator that torch sees."""
    kind: str | None = request.param
    for module in (devices, accelerators):
        monkeypatch.setattr(module, "accelerator", lambda: kind)
    return kind


@pytest.mark.parametrize(
    ("here", "device"), [(None, "cpu"), ("cuda", "cuda:0"), ("xpu", "xpu:0"), ("npu", "npu:0"), ("mps", "mps")],
    indirect=["here"],
)  # fmt: skip
def test_one_process_computes_on_the_accelerator_that_torch_sees(here: str | None, device: str) -> None:
    assert devices.first_device(plan()) == device
    assert devices.first_device(plan(DEVICE="cpu")) == "cpu"
    if here is not None:
        assert devices.first_device(plan(DEVICE=here)) == device


@pytest.mark.parametrize("here", ["mps"], indirect=True)
def test_a_device_that_is_not_here_is_refused_with_what_is(here: str) -> None:
    with pytest.raises(InputError, match=r"DEVICE: torch sees Apple's GPU here, and no cuda\. Set DEVICE: auto"):
        Local(NoParams()).check(plan(DEVICE="cuda"))
    assert devices.device_here(plan(DEVICE="cuda")) == "mps"  # what a GPU trained is used where there is none
    assert devices.device_here(plan(DEVICE="cpu")) == "cpu"


@pytest.mark.parametrize("here", ["mps"], indirect=True)
def test_an_accelerator_that_the_loop_cannot_use_is_passed_over_and_said(
    here: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert devices.first_device(plan("boxes")) == "cpu"
    with caplog.at_level(logging.WARNING):
        Local(NoParams()).check(plan())
        assert caplog.text == ""
        Local(NoParams()).check(plan("boxes"))
    assert "Apple's GPU is not used: boxes trains with operators that have no kernels for it." in caplog.text
    with pytest.raises(InputError, match="DEVICE: boxes trains with operators that have no kernels for mps"):
        devices.first_device(plan("boxes", DEVICE="mps"))


def test_worker_processes_know_what_the_loop_can_use() -> None:
    for task, usable in (("words", None), ("boxes", ("cuda",))):
        assert plan_from_json(plan_to_json(plan(task)), REGISTRY).accelerators == usable


@pytest.mark.parametrize("value", ["cuda:1", "the GPU"])
def test_a_device_is_the_name_of_a_type(value: str) -> None:
    with pytest.raises(ConfigError, match="DEVICE: "):
        plan(DEVICE=value)


def test_float16_is_refused_on_the_cpu_alone() -> None:
    devices.refuse_impossible_precision(plan(FP16=True), "mps")
    with pytest.raises(InputError, match="FP16: float16 mixed precision needs a GPU"):
        devices.refuse_impossible_precision(plan(FP16=True), "cpu")


def test_bfloat16_is_tried_where_the_device_does_not_say() -> None:
    with pytest.raises(InputError, match="BF16: vulkan has no bfloat16"):  # this build of torch cannot use it at all
        devices.refuse_impossible_precision(plan(BF16=True), "vulkan")
    devices.refuse_impossible_precision(plan(BF16=True), "cpu")


@pytest.mark.parametrize(
    ("device", "on_cpu", "pinned"), [("cpu", True, False), ("mps", False, False), ("xpu:0", False, True)]
)
def test_the_loop_leaves_the_cpu_and_pins_memory_that_is_not_shared(device: str, on_cpu: bool, pinned: bool) -> None:
    from adapt_core.distributed.world import World

    arguments = training_arguments(plan(), World(device=device), Path("checkpoints"), {}, has_validation=False)
    assert (arguments["use_cpu"], arguments["dataloader_pin_memory"]) == (on_cpu, pinned)


def test_cuda_id_says_what_is_used_instead(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "accelerator", lambda: "mps")
    with caplog.at_level(logging.WARNING):
        devices.choose_gpus("0")
    assert "cuda_id 0 has no effect: no GPU is visible; Apple's GPU is used." in caplog.text


@pytest.mark.skipif(sys.platform == "darwin", reason="Apple's is there")
def test_without_an_accelerator_there_is_nothing_to_count_or_to_seed() -> None:
    import torch

    if torch.accelerator.is_available():
        pytest.skip("this machine has an accelerator")
    assert accelerators.accelerator() is None
    assert accelerators.accelerator_count() == 0
    assert accelerators.random_states() == []


@pytest.mark.gpu
def test_random_states_of_the_accelerator_come_back() -> None:
    import torch

    if not torch.accelerator.is_available():
        pytest.skip("needs an accelerator")
    kind = accelerators.accelerator()
    states = accelerators.random_states()
    drawn = torch.rand(3, device=kind)
    accelerators.set_random_states(states)
    assert torch.equal(torch.rand(3, device=kind), drawn)
    assert accelerators.memory_of(accelerators.device_name(str(kind), 0)) > 0


@pytest.mark.parametrize(
    ("limit", "names"),
    [
        ("memory.max", ("memory.current", "inactive_file")),
        ("memory.limit_in_bytes", ("memory.usage_in_bytes", "total_inactive_file")),
    ],
)
def test_a_container_has_free_what_its_limit_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, names: tuple[str, str]
) -> None:
    psutil = pytest.importorskip("psutil")

    used, giving_way = names
    (tmp_path / limit).write_text("1000\n")
    (tmp_path / used).write_text("500\n")
    (tmp_path / "memory.stat").write_text(f"anon 300\n{giving_way} 200\nactive_file 0\n")
    monkeypatch.setattr(devices, "_MEMORY_FILES", ((tmp_path / limit, used, giving_way),))
    assert devices.free_memory_bytes() == 700
    (tmp_path / limit).write_text("max\n")
    assert devices.free_memory_bytes() == pytest.approx(psutil.virtual_memory().available, rel=0.2)
