#!/usr/bin/env bash
# torch_format_rounds_ids_next_to_none: one missing value turns a batch of int64 into float32 and rounds its ids
# packages: datasets==5.2.0 torch==2.15.0
# guess: A column of int64 with a missing value cannot become a tensor and is refused.
# seen: A batch that holds the missing value comes as float32 with NaN, whatever the column's type says, and the ids
#   beside it are rounded: 16777217 becomes 16777216. A batch without one stays int64, so the type changes within an
#   epoch.
# matters: Ids of questions, images or users above 16.7 million fall together when predictions are joined by them,
#   only in batches with a gap. A missing label becomes NaN in place of an error. Fill gaps (-100, -1) before
#   with_format.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from datasets import Dataset, Features, Value
from seen import seen

IDS = [16_777_216, 16_777_217, None, 16_777_219, 16_777_221, 16_777_223]
rows = Dataset.from_dict({"id": IDS}, features=Features({"id": Value("int64")})).with_format("torch")
seen("type of the column", str(rows.features["id"]), "Value('int64')")

with_gap, without = rows[:3]["id"], rows[3:]["id"]
seen("type of a batch without a gap", str(without.dtype), "torch.int64")
seen("its ids", without.tolist(), [16_777_219, 16_777_221, 16_777_223])
seen("type of a batch with a gap", str(with_gap.dtype), "torch.float32")
seen("two ids in it", [int(one) for one in with_gap[:2].tolist()], [16_777_216, 16_777_216])
seen("the gap is NaN", bool(with_gap[2].isnan()))

numbers = rows.with_format("numpy")[:2]["id"]
seen("numpy without a gap", numbers.dtype.name, "int64")
PY
