"""The process that Ray knows as the driver of a run: `python -m adapt_ray.driver`.

It is a process of its own so that the `adapt` command keeps its signals and can end all of Ray's processes. It reads a
job from standard input, one line of JSON, then a line "stop NUMBER" for each signal that is passed on; it ends with all
that it started when standard input ends. It writes the events of the channel to standard output, one line of JSON each,
and its own: {"lost": {RANK: WHY}}, {"fallen": WHY}, {"refused": MESSAGE}, {"broken": MESSAGE}, {"ended": true}.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from adapt_ray.cluster import PROCESSES_ON_A_CPU, connect, lacking, wanted

Job = Mapping[str, Any]

_SECONDS_TO_END = 5.0


def main() -> None:
    """Run the job on standard input."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    job: Job = json.loads(sys.stdin.readline())
    os.chdir(job["scratch"])  # Ray lets workers import from the driver's working directory
    threading.Thread(target=_drive, args=(job, events), daemon=True, name="driver").start()
    for line in sys.stdin:
        _stops.append(int(line.split()[1]))
        _asked.set()
    _end(job)


_stops: list[int] = []
_asked = threading.Event()


def _drive(job: Job, events: TextIO) -> None:
    lock = threading.Lock()

    def tell(event: Mapping[str, Any]) -> None:
        with lock:
            events.write(json.dumps(event) + "\n")
            events.flush()

    try:
        if _connected(job, tell):
            (_run_all if "plans" in job else _fit)(job, tell)
    except BaseException as error:  # noqa: BLE001 - the command shows it
        from adapt_ray.failures import fallen

        fell = fallen(error)
        if fell is not None:
            tell({"fallen": fell})
        else:
            tell({"broken": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()})
    tell({"ended": True})


def _connected(job: Job, tell: Any) -> bool:
    """Connect to Ray, and return whether it can hold the run; tell what is wrong."""
    needed = (job["processes"] or 1) * job["resources"].get("CPU", 1.0)  # a cluster has its own, and its own number
    try:
        connect(job["address"], job["scratch"], needed, use_cpu=job["use_cpu"])
    except Exception as error:
        if job["address"] is None:
            raise
        what = " ".join(str(error).split())[:300]
        tell({"refused": f"ray_address: no Ray at {job['address']!r}: {what} (Give the address of a running cluster.)"})
        return False
    return True


def _run_all(job: Job, tell: Any) -> None:
    from adapt_ray.several import run_all

    run_all(job, tell)


def _fit(job: Job, tell: Any) -> None:
    """Run the job in workers of Ray Train, and tell its events."""
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.backend import Backend
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from adapt_ray.channel import Channel
    from adapt_ray.failures import reasons
    from adapt_ray.worker import train

    class SharedDevices(Backend):
        """Makes no process group: the worker does, see `adapt_ray.process_group`."""

        share_cuda_visible_devices = True

    class NoGroup(TorchConfig):
        """torch's devices alone."""

        @property
        def backend_cls(self) -> type[Backend]:
            return SharedDevices

    resources, gpus = wanted(job)
    processes = job["processes"] or gpus or PROCESSES_ON_A_CPU
    missing = lacking(resources, processes)
    if missing is not None:
        tell({"refused": f"resources_per_worker: {missing}. Lower them, or num_processes."})
        return
    node = ray.get_runtime_context().get_node_id()
    here: Any = NodeAffinitySchedulingStrategy(node, soft=False)
    channel: Any = ray.remote(num_cpus=0, scheduling_strategy=here)(Channel).remote()

    def relay() -> None:
        while True:
            for event in ray.get(channel.take.remote()):
                if not event:
                    return
                tell(event)

    def pass_on() -> None:
        _asked.wait()
        ray.get(channel.ask.remote(_stops[0]))

    relaying = threading.Thread(target=relay, daemon=True)
    for thread in (relaying, threading.Thread(target=pass_on, daemon=True)):
        thread.start()
    tell({"processes": processes, "gpus": gpus > 0})
    trainer = TorchTrainer(
        train,
        train_loop_config={"channel": channel, **job["config"]},
        torch_config=NoGroup(),
        scaling_config=ScalingConfig(
            num_workers=processes, use_gpu=resources.get("GPU", 0) > 0, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name="adapt", storage_path=f"{job['scratch']}/train", failure_config=FailureConfig(max_failures=0)
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        tell({"lost": reasons(error, Path(job["scratch"]))})
    ray.get(channel.put.remote({}))  # behind all that workers told
    relaying.join()


def _end(job: Job) -> None:
    """End this process and everything of a Ray that it started; processes of a cluster end with their driver."""
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(children, timeout=_SECONDS_TO_END)
    shutil.rmtree(job["scratch"], ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
