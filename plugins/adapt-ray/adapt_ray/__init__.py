"""adapt-ray: a launcher of runs on Ray Train, on one machine or a cluster.

plugin.py         the hooks
params.py         parameters of the launcher
launcher.py       the launcher ray
launch.py         a run on Ray: started, watched, and its one result
driver.py         the process that Ray knows as the driver
cluster.py        a Ray on this machine alone, or one that is there
worker.py         one process of the run, in a worker of Ray Train
side_by_side.py   several runs of one process each: started and followed
several.py        the same, in Ray's driver and workers: trials of Ray Tune
channel.py        what workers and driver tell each other
process_group.py  the process group of all ranks
failures.py       the first failure among the workers
storage.py        the run folder in a storage too
"""
