#!/usr/bin/env bash
# monkeypatch_breaks_torch_settings: a test that patches a setting of torch.compile and undoes it ends all compiling
# packages: pytest==9.2.0 torch==2.15.0 numpy==2.4.6
# guess: MonkeyPatch.undo puts the setting's value back, and what is compiled later compiles as before.
# seen: undo deletes what stood not in the module's __dict__, and torch keeps its settings elsewhere: the setting is gone
#   (AttributeError), and every further compilation of the process fails with BackendCompilerFailed. Plain assignment
#   there and back harms nothing, and nor does torch's own patch.
# matters: One test that patches a setting makes unrelated tests of the same process fail, or pass for a wrong reason
#   where they expect a failed compilation. Use torch._inductor.config.patch(...), as a context or a decorator.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

cat > settings.py <<'PY'
import sys

import pytest
import torch
import torch._inductor.config as config


def monkeypatch():
    patch = pytest.MonkeyPatch()
    patch.setattr(config, "fx_graph_cache", not config.fx_graph_cache)
    patch.undo()


def assignment():
    before = config.fx_graph_cache
    config.fx_graph_cache = not before
    config.fx_graph_cache = before


def own_patch():
    with config.patch(fx_graph_cache=not config.fx_graph_cache):
        pass


before = config.fx_graph_cache
{"monkeypatch": monkeypatch, "assignment": assignment, "own_patch": own_patch}[sys.argv[1]]()
print("kept" if getattr(config, "fx_graph_cache", None) == before else "gone", end=", ")
try:
    torch.compile(lambda x: (x.sin() + 1) * x)(torch.ones(3))
    print("compiles")
except Exception as error:
    print(type(error).__name__, "fx_graph_cache does not exist" in str(error))
PY

python - <<'PY'
import subprocess
import sys

from seen import seen

for way, said in (
    ("assignment", "kept, compiles"),
    ("own_patch", "kept, compiles"),
    ("monkeypatch", "gone, BackendCompilerFailed True"),
):
    done = subprocess.run([sys.executable, "settings.py", way], capture_output=True, text=True)
    seen(f"the setting, and compiling, after {way} and back", done.stdout.strip(), said)
PY
