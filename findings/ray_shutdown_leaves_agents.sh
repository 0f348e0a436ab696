#!/usr/bin/env bash
# ray_shutdown_leaves_agents: ray.shutdown() of a Ray that a program started leaves two of its processes behind
# packages: ray==2.60.0 psutil==7.2.2
# guess: shutdown ends everything that init started, as its documentation says; at the latest the end of the program.
# seen: The raylet and the workers go, the raylet's DashboardAgent and RuntimeEnvAgent stay, with process 1 as their
#   parent, 20 seconds after shutdown and after the program has ended. That is so without a dashboard, too.
# matters: A script that starts Ray for a job, again and again, gathers processes of 100 MB each. They are in the process
#   group of the program: end that, or keep the list of descendants from before shutdown.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import os
import time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import psutil
import ray
from seen import seen

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
started = psutil.Process().children(recursive=True)
ray.shutdown()
time.sleep(20)
left = {process.cmdline()[0] for process in started if process.is_running() and process.status() != "zombie"}
seen("left after 20 seconds", sorted(left), ["ray::DashboardAgent", "ray::RuntimeEnvAgent"])
for process in started:
    if process.is_running():
        process.kill()
PY
