"""adapt-fsdp: launchers of several processes, on one machine or several.

plugin.py           the hooks
params.py           parameters of the launchers
launcher.py         what both launchers share
ddp.py              the launcher ddp
fsdp.py             the launcher fsdp
validation.py       plans that they refuse
devices.py          GPUs and processes of this machine
rendezvous.py       the machines of a run and what they tell each other
meeting.py          a fixed number of machines meet at one store
membership.py       machines that may leave a run and join it
signs.py            who of them is there, by signs of life
network.py          addresses and interfaces of this machine
launch.py           processes of a run, started and awaited
processes.py        worker processes, started, watched and stopped
failures.py         the first failure among them
torchrun.py         a process that torchrun started
process_group.py    the process group of all ranks
strategy.py         sharding of a loop's model
wrap_policy.py      layers that are gathered together
tied_embeddings.py  embeddings that several modules hold
full_model.py       the complete model from its shards
memory_estimate.py  memory of each rank
launch_files/       files for SLURM, Kubernetes and torchrun
"""
