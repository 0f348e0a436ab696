"""The keys of ddp and fsdp: what each changes, what is refused and why - all before any process starts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.config.plan import Plan
from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import AdaptError, InputError
from adapt_core.plugin.params import parameters_of
from adapt_core.plugin.registry import Registry

from adapt_fsdp.params import DdpParams, FsdpParams
from adapt_fsdp.validation import ONLY_DEFAULT, check_sharding

FSDP_ON_CPU = {"DDP": False, "FSDP": True, "use_cpu": True}
OTHER: dict[str, Any] = {
    "fsdp_version": 1,
    "fsdp_backward_prefetch_policy": "BACKWARD_POST",
    "fsdp_forward_prefetch": True,
    "fsdp_sync_module_states": False,
    "fsdp_use_orig_params": False,
    "compute_environment": "AMAZON_SAGEMAKER",
    "distributed_type": "MULTI_GPU",
    "main_training_function": "train",
    "downcast_bf16": "yes",
    "tpu_env": ["A=1"],
    "tpu_use_cluster": True,
    "tpu_use_sudo": True,
}


def planned(keys: dict[str, Any], **changes: Any) -> Plan:
    return resolve(RunConfig.read({**keys, **changes}), Registry.discover())


def params(**values: Any) -> FsdpParams:
    return FsdpParams(**{"use_cpu": True, **values})


def checked(keys: dict[str, Any], **changes: Any) -> None:
    plan = planned(keys, **changes)
    registry = Registry.discover()
    registry.launchers.find(plan.launcher.name).spec.load()(plan.launcher.params).check(plan)


def test_every_key_of_the_specification_is_declared(shared: Path) -> None:
    rows = json.loads((shared / "spec" / "parameters.json").read_text(encoding="utf-8"))
    declared = parameters_of(FsdpParams)
    rows = [row for row in rows if row["section"] == "FSDP arguments"]
    assert len(rows) >= 25
    for row in rows:
        parameter = declared[row["name"].casefold()]
        if row["name"] not in ("FSDP", "num_processes", "num_machines", "mixed_precision", "tpu_env"):
            assert str(parameter.default).casefold() == row["default"].casefold(), row


def test_a_plan_with_the_launcher_s_keys_survives_its_way_to_a_worker(keys: dict[str, Any]) -> None:
    plan = planned(keys, **FSDP_ON_CPU, fsdp_transformer_layer_cls_to_wrap=["BertLayer"])
    assert plan_from_json(plan_to_json(plan), Registry.discover()) == plan


@pytest.mark.parametrize("key", ONLY_DEFAULT)
def test_a_key_that_version_2_does_not_know_is_refused_with_the_reason(keys: dict[str, Any], key: str) -> None:
    plan = planned(keys, **FSDP_ON_CPU, **{key: OTHER[key]})
    with pytest.raises(InputError, match=f"{key}: only .* is supported: "):
        check_sharding(plan.launcher.params, plan, on_gpus=True)
    default = planned(keys, **FSDP_ON_CPU, **{key: parameters_of(FsdpParams)[key.casefold()].default})
    check_sharding(default.launcher.params, default, on_gpus=True)


@pytest.mark.parametrize("strategy", ["NO_SHARD", "HYBRID_SHARD", "HYBRID_SHARD_ZERO2"])
def test_strategies_without_a_counterpart_are_refused(keys: dict[str, Any], strategy: str) -> None:
    plan = planned(keys, **FSDP_ON_CPU, fsdp_sharding_strategy=strategy)
    with pytest.raises(InputError, match=f"fsdp_sharding_strategy: {strategy}"):
        check_sharding(plan.launcher.params, plan, on_gpus=True)


def test_all_reasons_are_reported_together(keys: dict[str, Any]) -> None:
    plan = planned(keys, **FSDP_ON_CPU, tpu_use_sudo=True, fsdp_version=1, KEEP="best")
    with pytest.raises(InputError) as error:
        check_sharding(plan.launcher.params, plan, on_gpus=True)
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == ["fsdp_version", "tpu_use_sudo", "KEEP"]


def test_fsdp_on_a_cpu_is_refused_unless_it_is_asked_for(keys: dict[str, Any]) -> None:
    plan = planned(keys, DDP=False, FSDP=True, use_cpu=False)
    with pytest.raises(InputError, match=r"no GPU here.*DDP: true; or set use_cpu: true"):
        check_sharding(plan.launcher.params, plan, on_gpus=False)
    asked = planned(keys, **FSDP_ON_CPU)
    check_sharding(asked.launcher.params, asked, on_gpus=False)


@pytest.mark.parametrize(("key", "value"), [("fsdp_offload_params", True), ("fsdp_state_dict_type", "FULL_STATE_DICT")])
def test_what_needs_gpus_is_refused_on_a_cpu_alone(keys: dict[str, Any], key: str, value: Any) -> None:
    plan = planned(keys, **FSDP_ON_CPU, **{key: value})
    with pytest.raises(InputError, match=f"{key}: "):
        check_sharding(plan.launcher.params, plan, on_gpus=False)
    check_sharding(plan.launcher.params, plan, on_gpus=True)


def test_a_base_in_8_bits_is_refused_with_what_it_can_train_under(keys: dict[str, Any]) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    plan = planned(keys, **FSDP_ON_CPU, method="LoRA", load_in_8bit=True)
    for on_gpus in (False, True):
        with pytest.raises(InputError, match=r"FSDP: .*cannot shard 8-bit weights.*DDP: true"):
            check_sharding(plan.launcher.params, plan, on_gpus=on_gpus)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "float32"),
        ({"BF16": True}, "bfloat16"),
        ({"mixed_precision": "bf16", "bnb_4bit_quant_storage": "float32"}, "bfloat16"),
        ({"BF16": True, "mixed_precision": "no"}, "float32"),
    ],
)
def test_4_bit_weights_need_a_data_type_that_is_sharded_unchanged(
    keys: dict[str, Any], changes: dict[str, Any], wanted: str
) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    quantized = {**FSDP_ON_CPU, "method": "LoRA", "load_in_4bit": True, **changes}
    plan = planned(keys, **quantized)
    with pytest.raises(InputError, match=f"bnb_4bit_quant_storage: .*Under FSDP set it to {wanted}"):
        check_sharding(plan.launcher.params, plan, on_gpus=False)
    good = planned(keys, **{**quantized, "bnb_4bit_quant_storage": wanted})
    check_sharding(good.launcher.params, good, on_gpus=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_machines": 2, "num_nodes": 3, "main_process_ip": "127.0.0.1"}, "num_machines .2. and num_nodes .3."),
        ({"num_nodes": 2}, "2 machines need main_process_ip"),
        ({"num_machines": 2, "main_process_ip": "127.0.0.1", "machine_rank": 2}, "machine_rank is 2"),
        ({"same_network": False}, "same_network: false needs rdzv_backend: c10d"),
        ({"mixed_precision": "fp16"}, "float16 mixed precision"),
        ({"FP16": True}, "float16 mixed precision"),
    ],
)
def test_processes_and_machines_that_cannot_be_are_refused(
    keys: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        checked(keys, **changes)


def test_a_refused_run_leaves_nothing_but_its_log(keys: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(AdaptError, match="no GPU to offload from"):
        adapt_core.run({**keys, "DDP": False, "FSDP": True, "fsdp_offload_params": True})
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"log.txt", ".adapt-run.json"}


def test_wrapping_by_size_is_refused_because_it_would_shard_lists_of_layers(keys: dict[str, Any]) -> None:
    plan = planned(keys, **FSDP_ON_CPU, fsdp_auto_wrap_policy="SIZE_BASED_WRAP")
    with pytest.raises(InputError, match="fsdp_auto_wrap_policy: SIZE_BASED_WRAP"):
        check_sharding(plan.launcher.params, plan, on_gpus=True)


def test_local_state_dicts_are_of_version_1(keys: dict[str, Any]) -> None:
    plan = planned(keys, **FSDP_ON_CPU, fsdp_state_dict_type="LOCAL_STATE_DICT")
    with pytest.raises(InputError, match="fsdp_state_dict_type: LOCAL_STATE_DICT is of FSDP version 1"):
        check_sharding(plan.launcher.params, plan, on_gpus=True)


def test_a_layer_class_that_the_model_does_not_have_is_refused(tiny_encoder: Path) -> None:
    from transformers import AutoModel

    from adapt_fsdp.wrap_policy import layers_to_wrap

    model = AutoModel.from_pretrained(tiny_encoder)
    assert layers_to_wrap(model, None) == ["BertLayer"]
    assert layers_to_wrap(model, ("BertAttention",)) == ["BertAttention"]
    with pytest.raises(InputError, match=r"no layer of class LlamaDecoderLayer; its own are BertLayer"):
        layers_to_wrap(model, ("BertLayer", "LlamaDecoderLayer"))


def test_processes_find_their_keys_in_their_environment(keys: dict[str, Any], start: Callable[..., Any]) -> None:
    """debug, num_processes: read from real workers, which end with their command."""
    run = start({**keys, **FSDP_ON_CPU, "debug": True, "num_processes": 3})
    while len(workers := run.workers()) < 3:
        assert run.process.poll() is None, run.process.communicate()
        time.sleep(0.05)
    environments = [Path(f"/proc/{pid}/environ").read_text().split("\0") for _, pid in sorted(workers.items())]
    run.process.kill()
    for rank, environment in enumerate(environments):
        assert {f"RANK={rank}", "WORLD_SIZE=3", "LOCAL_WORLD_SIZE=3", "ACCELERATE_DEBUG_MODE=1"} <= set(environment)
        assert "CUDA_VISIBLE_DEVICES=" in environment  # use_cpu: no library may take a GPU all the same


@pytest.mark.parametrize(("rank", "is_coordinator"), [(0, True), (1, False)])
def test_the_machine_of_rank_0_is_the_coordinator(rank: int, is_coordinator: bool) -> None:
    from adapt_fsdp.fsdp import Fsdp

    assert Fsdp(params(machine_rank=rank, num_machines=2)).is_coordinator() is is_coordinator


def test_device_is_for_one_process(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="DEVICE is for one process: under several set use_cpu"):
        checked(keys, DEVICE="cpu")


def test_the_batch_size_of_several_machines_is_given(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="BATCH_SIZE auto is chosen by the memory of one machine"):
        checked(keys, BATCH_SIZE="auto", num_machines=2, main_process_ip="10.0.0.1")


@pytest.mark.parametrize(
    ("kind", "count", "device", "place"),
    [("xpu", 3, "xpu:1", "xpu (xccl)"), ("cuda", 2, "cuda:1", "GPUs (nccl)"), ("mps", 1, "cpu", "the CPU (gloo)")],
)
def test_processes_use_the_accelerators_that_have_collective_operations(
    monkeypatch: pytest.MonkeyPatch, kind: str, count: int, device: str, place: str
) -> None:
    from adapt_core.nn import accelerators

    from adapt_fsdp import launch
    from adapt_fsdp.devices import local_device, process_count

    monkeypatch.setattr(accelerators, "accelerator", lambda: kind)
    monkeypatch.setattr(accelerators, "accelerator_count", lambda: count)
    gpus = params(use_cpu=False)
    assert local_device(gpus, 1) == device
    assert process_count(gpus) == (count if device != "cpu" else 2)
    assert launch._place(gpus, 2).startswith(place)
    assert local_device(params(use_cpu=True), 1) == "cpu"


@pytest.mark.gpu
def test_use_cpu_hides_gpus_and_num_processes_may_not_exceed_them(keys: dict[str, Any]) -> None:
    import torch

    from adapt_fsdp.devices import device_count, process_count

    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    gpus = torch.cuda.device_count()
    assert (device_count(params(use_cpu=True)), device_count(params(use_cpu=False))) == (0, gpus)
    assert process_count(params(use_cpu=False)) == gpus
    with pytest.raises(InputError, match=f"this machine has {gpus} visible GPUs"):
        checked(keys, use_cpu=False, num_processes=gpus + 1)


def test_num_nodes_and_num_machines_are_one() -> None:
    assert params(num_nodes=3).machines == params(num_machines=3).machines == 3
    assert params().machines == 1


def test_processes_on_a_cpu_are_two_unless_given() -> None:
    from adapt_fsdp.devices import process_count

    assert process_count(params()) == 2
    assert process_count(params(num_processes=5)) == 5


@pytest.mark.parametrize(("given", "options"), [(None, {}), ("no", (False, False)), ("bf16", (True, False))])
def test_mixed_precision_wins_over_bf16_where_it_is_given(
    keys: dict[str, Any], given: str | None, options: Any
) -> None:
    from adapt_fsdp.ddp import Ddp

    expected = dict(zip(("bf16", "fp16"), options, strict=True)) if options else {}
    assert Ddp(DdpParams(mixed_precision=given)).training_arguments(planned(keys, BF16=True)) == expected


def plugin_of(values: dict[str, Any], gradient_checkpointing: bool = False, on_gpus: bool = True) -> Any:
    """accelerate's own plugin, as the Trainer builds it from the launcher's options."""
    from accelerate.utils import FullyShardedDataParallelPlugin
    from transformers import TrainingArguments

    from adapt_fsdp.wrap_policy import sharding_arguments

    options = sharding_arguments(params(**values), gradient_checkpointing, on_gpus=on_gpus)
    options.pop("accelerator_config", None)
    arguments = TrainingArguments(output_dir="unused", use_cpu=True, **options)
    assert arguments.activation_checkpointing is False
    return FullyShardedDataParallelPlugin(**arguments.fsdp_plugin_args)


def test_each_key_of_version_2_reaches_accelerate_s_plugin() -> None:
    plain = plugin_of({})
    assert plain.fsdp_version == 2
    assert plain.reshard_after_forward is True
    assert plain.cpu_ram_efficient_loading is True
    assert plain.activation_checkpointing is False
    assert plain.auto_wrap_policy.__name__ == "transformer_auto_wrap_policy"
    assert plain.transformer_cls_names_to_wrap is None
    assert plain.state_dict_type.name == "SHARDED_STATE_DICT"
    assert type(plain.cpu_offload).__name__ != "CPUOffloadPolicy"
    assert plugin_of({"fsdp_sharding_strategy": "SHARD_GRAD_OP"}).reshard_after_forward is False
    assert plugin_of({"fsdp_cpu_ram_efficient_loading": False}).cpu_ram_efficient_loading is False
    assert plugin_of({}, on_gpus=False).cpu_ram_efficient_loading is False
    assert plugin_of({"fsdp_activation_checkpointing": True}).activation_checkpointing is True
    assert plugin_of({}, gradient_checkpointing=True).activation_checkpointing is True
    assert plugin_of({"fsdp_auto_wrap_policy": "NO_WRAP"}).auto_wrap_policy is None
    sized = plugin_of({"fsdp_auto_wrap_policy": "SIZE_BASED_WRAP", "fsdp_min_num_params": 7})
    assert (sized.auto_wrap_policy.__name__, sized.min_num_params) == ("size_based_auto_wrap_policy", 7)
    named = plugin_of({"fsdp_transformer_layer_cls_to_wrap": ("BertLayer",)})
    assert named.transformer_cls_names_to_wrap == ["BertLayer"]
    assert plugin_of({"fsdp_state_dict_type": "FULL_STATE_DICT"}).state_dict_type.name == "FULL_STATE_DICT"
    assert type(plugin_of({"fsdp_offload_params": True}).cpu_offload).__name__ == "CPUOffloadPolicy"
