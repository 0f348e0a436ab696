"""One process of a run, in a worker of Ray Train."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapt_core.errors import InputError
from adapt_core.execution.worker import serve
from adapt_core.execution.worker_protocol import Report
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.progress import ProgressReporter, SilentReporter

from adapt_ray.channel import Event, RelayedReporter


def train(config: Mapping[str, Any]) -> None:
    """Execute the run as the rank that Ray Train gives this process, and report the outcome through the channel.

    Args:
        config: "channel": the actor; "received": what `adapt_core.execution.worker.message` writes, read, whose rank is
            to be set; "began": when the command began (seconds since the epoch); "folder": the command's working
            directory; "output": the run folder; "environment": variables to set.
    """
    import ray
    import ray.train
    import ray.train.torch

    context = ray.train.get_context()
    rank, channel = context.get_world_rank(), config["channel"]
    place = {
        "rank": rank,
        "local_rank": context.get_local_rank(),
        "size": context.get_world_size(),
        "device": str(ray.train.torch.get_device()),
    }
    # What users of torch.distributed read, accelerate among them.
    os.environ.update(config["environment"])
    os.environ["RANK"], os.environ["WORLD_SIZE"] = str(rank), str(place["size"])
    os.environ["LOCAL_RANK"] = str(place["local_rank"])
    os.environ["LOCAL_WORLD_SIZE"] = str(context.get_local_world_size())
    os.environ["ACCELERATE_TORCH_DEVICE"] = str(place["device"])
    with suppress(OSError):  # on another machine
        os.chdir(config["folder"])
    stop = StopRequest()

    def send(event: Event) -> None:
        channel.put.remote(event)

    def ask_for_stops() -> None:
        number = ray.get(channel.asked.remote())
        if not stop.ask(number):
            send({"unheeded": number})

    send({"rank": rank, "begun": os.getpid(), "host": socket.gethostname()})
    threading.Thread(target=ask_for_stops, daemon=True, name="stop-requests").start()
    received = {**config["received"], "world": {**config["received"]["world"], **place}}
    received["since"] = time.monotonic() - (time.time() - config["began"])
    report = _report(received, Path(config["output"]), RelayedReporter(send) if rank == 0 else SilentReporter(), stop)
    ray.get(channel.put.remote({"rank": rank, "report": report.to_line()}))


def _report(received: Mapping[str, Any], output: Path, reporter: ProgressReporter, stop: StopRequest) -> Report:
    if not output.is_dir():
        return Report.of_error(
            InputError(f"OUTPUT_DIR {output} is not on {socket.gethostname()}. Give a folder that all machines share.")
        )
    return serve(received, reporter, stop)
