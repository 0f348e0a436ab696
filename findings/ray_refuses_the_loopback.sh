#!/usr/bin/env bash
# ray_refuses_the_loopback: a local Ray listens on every interface, even where it is given 127.0.0.1 as its address
# packages: ray==2.60.0 psutil==7.2.2
# guess: ray.init() without an address serves this program alone; _node_ip_address="127.0.0.1" at the latest.
# seen: Ray puts the machine's own address in the place of 127.0.0.1, and its servers (GCS, raylet, workers) listen on every
#   interface. Its switch for laptops, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, keeps all of them on the loopback on Linux.
# matters: Who reaches the ports of a machine reaches the Ray of a small local job, with a token in ~/.ray as the only
#   lock. Set the switch before `import ray`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

cat > listening.py <<'PY'
import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
if sys.argv[1] == "switched":
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
import psutil
import ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
started = [psutil.Process(), *psutil.Process().children(recursive=True)]
addresses = {
    connection.laddr.ip.removeprefix("::ffff:")
    for process in started
    for connection in process.net_connections()
    if connection.status == psutil.CONN_LISTEN
}
print("loopback alone" if addresses == {"127.0.0.1"} else "every interface" if "::" in addresses else addresses)
ray.shutdown()
for process in started[1:]:
    if process.is_running():
        process.kill()
PY

python - <<'PY'
import subprocess
import sys

from seen import seen

for how, expected in (("as it is", "every interface"), ("switched", "loopback alone")):
    done = subprocess.run([sys.executable, "listening.py", how], capture_output=True, text=True, check=True)
    seen(how, done.stdout.splitlines()[-1], expected)
PY
