"""The parameters of adapt-fsdp's launchers. Imports nothing heavy."""

from __future__ import annotations

import attrs

from adapt_core.parameters import param


@attrs.frozen
class ProcessParams:
    """Where the processes of a run live: what ddp and fsdp share. The names are accelerate's."""

    num_processes: int | None = param(
        None, "Processes on each machine (default: one for each visible GPU; 2 on a CPU).", ge=1
    )
    num_machines: int | None = param(None, "Machines of the run (default: 1).", ge=1)
    num_nodes: int | None = param(None, "The same as num_machines.", ge=1)
    machine_rank: int = param(0, "This machine's number, from 0; machine 0 writes OUTPUT_DIR.", ge=0)
    main_process_ip: str | None = param(None, "Address of machine 0, as the other machines reach it.")
    main_process_port: int = param(29500, "Port on machine 0 where the machines meet.", ge=1, le=65535)
    rdzv_backend: str = param(
        "static",
        "How machines meet: static (machine 0 waits at its port) or c10d (torch's dynamic rendezvous: whichever "
        "machine owns main_process_ip waits there).",
        choices=("static", "c10d"),
    )
    same_network: bool = param(
        True, "Whether the machines reach each other directly; false needs rdzv_backend: c10d, as in accelerate."
    )
    machine_timeout: float = param(600.0, "Seconds that the machines of a run wait for each other to come.", gt=0)
    collective_timeout: float = param(
        1800.0, "Seconds after which processes that wait for another one give up (torch's own default).", gt=0
    )
    use_cpu: bool = param(False, "Run on the CPU (over gloo) even where there are GPUs.")
    mixed_precision: str | None = param(
        None,
        "Mixed precision, by accelerate's name for it (default: what BF16 and FP16 say).",
        choices=("no", "fp16", "bf16"),
    )

    @property
    def machines(self) -> int:
        """The number of machines, by either name."""
        return self.num_machines or self.num_nodes or 1


@attrs.frozen
class DdpParams(ProcessParams):
    """Parameters of the launcher ddp."""

    ddp: bool = param(False, "Train in several processes, each with a whole copy of the model.", key="DDP", on=True)
