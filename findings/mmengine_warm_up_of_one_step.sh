#!/usr/bin/env bash
# mmengine_warm_up_of_one_step: LinearLR and ConstantLR with end=1 never end: the whole run has the reduced rate
# packages: onedl-mmengine==0.10.12 torch==2.15.0
# guess: LinearLR(start_factor=0.1, begin=0, end=1) reduces the rate of the first step; from the second on it is LR.
# seen: The rate stays at a tenth for the whole run. With end=2 the first step is reduced, with end=4 the fourth has LR:
#   a warm-up of n steps reduces n - 1. ConstantLR(factor=0.1, end=3) reduces two steps, and with end=1 all.
# matters: A short debugging run, or one whose warm-up is a share of few steps, trains at a tenth or a thousandth of the
#   rate without a word. Leave a warm-up of one step out, and print the rate of the first steps.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from mmengine.optim import ConstantLR, LinearLR
from seen import seen


def rates(scheduler, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = scheduler(optimizer, by_epoch=False, begin=0, **options)
    found = []
    for _ in range(5):
        found.append(round(optimizer.param_groups[0]["lr"], 4))
        optimizer.step()
        schedule.step()
    return found


seen("LinearLR, end=1", rates(LinearLR, start_factor=0.1, end=1), [0.1] * 5)
seen("LinearLR, end=2", rates(LinearLR, start_factor=0.1, end=2), [0.1, 1, 1, 1, 1])
seen("LinearLR, end=4", rates(LinearLR, start_factor=0.1, end=4), [0.1, 0.4, 0.7, 1, 1])
seen("ConstantLR, end=1", rates(ConstantLR, factor=0.1, end=1), [0.1] * 5)
seen("ConstantLR, end=3", rates(ConstantLR, factor=0.1, end=3), [0.1, 0.1, 1, 1, 1])
PY
