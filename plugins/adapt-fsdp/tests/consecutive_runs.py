"""`torchrun consecutive_runs.py CONFIGS`: several runs in the same processes, which import torch once.

CONFIGS is a JSON list. Under torchrun each process does its part of each run, as with `torchrun -m adapt_core run`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from deferred_calls import count_calls, note
from held_bytes import count_bytes
from rank_weights import write_digests
from ticking_budget import let_clocks_tick


def main() -> None:
    """Runs them all; the first that fails ends everything."""
    from accelerate.state import AcceleratorState

    import adapt_core

    with pytest.MonkeyPatch.context() as patch:
        count_bytes(patch)
        calls = count_calls(patch)
        for number, config in enumerate(json.loads(Path(sys.argv[1]).read_text())):
            # Each run finds keys of its own in torchrun's store, as each of torchrun's attempts does.
            os.environ["TORCHELASTIC_RESTART_COUNT"] = str(number)
            run, rank = Path(config["OUTPUT_DIR"]), int(os.environ["RANK"])
            with patch.context() as of_run:
                write_digests(of_run, run, rank)
                if "BUDGET" in config:
                    let_clocks_tick(of_run, rank)
                adapt_core.run(config, resume=True)
            note(calls, run, rank)
            AcceleratorState._reset_state(reset_partial_state=True)


if __name__ == "__main__":
    main()
