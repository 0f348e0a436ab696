#!/usr/bin/env bash
# config_saved_without_model_code: the config of a model with code of its own is saved without the file it points to
# packages: transformers==5.24.0 torch==2.15.0
# guess: config.save_pretrained of a code model writes the Python files that its auto_map names, as the model's does.
# seen: It writes the module of the config and not that of the model, while auto_map in config.json names both: the
#   folder loads with AutoConfig and fails with AutoModel. model.save_pretrained writes both.
# matters: Tools that save config, tokenizer and merged weights apart publish a folder that nobody can load. Call
#   save_pretrained of the model, or copy every file that auto_map names.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import json
from pathlib import Path

from seen import seen
from transformers import AutoConfig, AutoModel

CONFIG = """
from transformers import PretrainedConfig

class SmallConfig(PretrainedConfig):
    model_type = "small_with_code"
"""
MODEL = """
import torch
from transformers import PreTrainedModel
from .configuration_small import SmallConfig

class SmallModel(PreTrainedModel):
    config_class = SmallConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(2, 2)
        self.post_init()
"""
folder = Path("published")
folder.mkdir()
(folder / "configuration_small.py").write_text(CONFIG, encoding="utf-8")
(folder / "modeling_small.py").write_text(MODEL, encoding="utf-8")
auto_map = {"AutoConfig": "configuration_small.SmallConfig", "AutoModel": "modeling_small.SmallModel"}
config = json.dumps({"model_type": "small_with_code", "auto_map": auto_map})
(folder / "config.json").write_text(config, encoding="utf-8")


def python_files(name):
    return sorted(path.name for path in Path(name).glob("*.py"))


config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
AutoModel.from_config(config, trust_remote_code=True).save_pretrained("by-model")
seen("saved by the model", python_files("by-model"), ["configuration_small.py", "modeling_small.py"])

AutoConfig.from_pretrained(folder, trust_remote_code=True).save_pretrained("by-config")
seen("saved by the config", python_files("by-config"), ["configuration_small.py"])
written = json.loads(Path("by-config/config.json").read_text(encoding="utf-8"))["auto_map"]
seen("auto_map still names the model's module", written["AutoModel"], "modeling_small.SmallModel")
seen("AutoConfig loads", AutoConfig.from_pretrained("by-config", trust_remote_code=True).model_type, "small_with_code")
try:
    AutoModel.from_config(AutoConfig.from_pretrained("by-config", trust_remote_code=True), trust_remote_code=True)
except OSError as error:
    seen("AutoModel misses the file", "modeling_small.py" in str(error))
else:
    seen("AutoModel", "loads", "fails")
PY
