#!/usr/bin/env bash
# torchmetrics_absent_classes: a class without rows is left out of one macro average and counts as 0 in the next
# packages: torchmetrics==1.9.0 torch==2.15.0
# guess: A class that the labels lack is left out of the macro average of AUROC and of average precision.
# seen: Macro AUROC counts it as 0: a perfect classifier of 4 classes gets 0.75 where one is absent. Macro average
#   precision leaves it out (1.0), unless thresholds are given: then it counts as 0 there too (0.75).
# matters: A validation split that lacks rare classes pulls AUROC down by their share, and the memory-saving thresholds
#   that many classes call for change average precision by more than their rounding. Average over the classes that
#   occur.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from seen import seen
from torchmetrics.classification import MulticlassAUROC, MulticlassAveragePrecision

CLASSES = 4
labels = torch.arange(30) % 3
perfect = torch.nn.functional.one_hot(labels, CLASSES).float()


def macro(metric, **options):
    return round(float(metric(CLASSES, **options)(perfect, labels)), 4)


seen("AUROC", macro(MulticlassAUROC), 0.75)
seen("AUROC, 20 thresholds", macro(MulticlassAUROC, thresholds=20), 0.75)
seen("average precision", macro(MulticlassAveragePrecision), 1.0)
seen("average precision, 20 thresholds", macro(MulticlassAveragePrecision, thresholds=20), 0.75)
PY
