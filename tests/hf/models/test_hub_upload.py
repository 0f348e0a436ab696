"""What PUSH_TO_HUB uploads: each file at a place of its own, as a hub of this machine receives it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub", reason="needs the extra adapt-core[hf]")

UPLOAD = """
import sys
from pathlib import Path
from adapt_core.hf.models.hub import HubUpload
from adapt_core.run_folder.paths import RunFolder
print(HubUpload().push_to_hub("me/words", RunFolder(Path(sys.argv[1]))))
"""


class Hub(BaseHTTPRequestHandler):
    """The requests of an upload without large files: each commit's files are kept by their paths."""

    kept: dict[str, str]

    def do_POST(self) -> None:
        """Answer what a client asks before a commit, and keep the files of one."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer: dict[str, Any] = {}
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            answer = {"files": [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in files]}
        elif "/commit/" in self.path:
            for entry in map(json.loads, body.splitlines()):
                if entry["key"] == "file":
                    self.kept[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"]).decode()
            answer = {"commitUrl": f"http://{self.headers['Host']}/me/words/commit/1", "commitOid": "1"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log nothing."""


def test_the_adapter_overwrites_no_file_of_the_model(tmp_path: Path) -> None:
    files = {
        "model/config.json": "the model's",
        "model/model.safetensors": "weights",
        "adapter/config.json": "the base's",
        "adapter/adapter_config.json": "the adapter's",
        "README.md": "# A model\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    hub = type("KeepingHub", (Hub,), {"kept": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        settings = {"HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "hf_any", "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", UPLOAD, str(tmp_path)]
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=100)
        server.shutdown()
    assert done.stdout.strip() == f"{address}/me/words", done.stderr
    assert hub.kept == {name.removeprefix("model/"): text for name, text in files.items()}
