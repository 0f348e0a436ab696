#!/usr/bin/env bash
# webdataset_epoch_restarts: with_epoch begins at the first sample each time, and never reaches the others
# packages: webdataset==1.0.2
# guess: with_epoch(8) cuts the stream of samples into epochs: the second goes on where the first ended.
# seen: Each epoch starts the shards anew. Of 20 samples in order an epoch of 8 gives 0 to 7 again and again; shuffled
#   with a buffer of 4 the last samples never come in 200 epochs. An epoch longer than the data goes round.
# matters: Epochs shorter than the data (which evaluation more often calls for) train on the start of the shards alone.
#   Shuffle the shards themselves and have many small ones, or hold one iterator over .repeat() and count steps.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import io
import tarfile

import webdataset
from seen import seen

with tarfile.open("samples.tar", "w") as archive:
    for number in range(20):
        text = str(number).encode()
        entry = tarfile.TarInfo(f"{number:03d}.cls")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))


def numbers(samples):
    return [int(one["cls"]) for one in samples]


def plain():
    return webdataset.WebDataset("samples.tar", shardshuffle=False)


data = plain().with_epoch(8)
seen("three epochs of 8 of 20 samples", [numbers(data) for _ in range(3)], [list(range(8))] * 3)
data = plain().shuffle(4, initial=4).with_epoch(8)
met = {number for _ in range(200) for number in numbers(data)}
seen("met in 200 shuffled epochs, sample 19 among them", 19 in met, False)
seen("an epoch of 50", numbers(plain().with_epoch(50))[18:23], [18, 19, 0, 1, 2])
PY
