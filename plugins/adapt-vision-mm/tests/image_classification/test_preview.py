"""What image classification gives the report and `adapt check`: images, classes, confusions, memory."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import adapt_core
from adapt_core import api
from adapt_core.errors import InputError

from ..pictures import COLOURS

Keys = dict[str, Any]


def shown(uri: str) -> Image.Image:
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.fixture(params=["keys", "hf_keys"], ids=["timm", "transformers"])
def config(request: pytest.FixtureRequest) -> Keys:
    found: Keys = request.getfixturevalue(request.param)
    return found


def test_images_stand_beside_their_class_and_the_model_s(config: Keys, tmp_path: Path) -> None:
    result = adapt_core.run(config)
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    for moment in ("before", "after"):
        samples = found[moment]["samples"]
        assert len(samples) == 6
        assert {sample["expected"] for sample in samples} == set(COLOURS)
        assert max(shown(samples[0]["input"]).size) <= 224
        assert samples[0]["predicted"].split(" ")[0] in COLOURS
    table = found["after"]["per_class"]
    counts = table["confusion"]
    assert sum(map(sum, counts)) == 12
    assert sum(counts[n][n] for n in range(3)) / 12 == pytest.approx(result.metrics["after"]["accuracy"])
    assert sum(table["figures"]["f1"]) / 3 == pytest.approx(result.metrics["after"]["macro_f1"])
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/jpeg') == 6


def test_check_draws_training_images_with_their_class(config: Keys) -> None:
    found = api.estimate(api.check(config), pictures=True)
    assert found.classes == dict.fromkeys(sorted(COLOURS), 8)
    assert found.pictures is not None
    sheet = Image.open(io.BytesIO(found.pictures))
    assert sheet.format == "PNG"
    assert sheet.size == (4 * (32 + 8), 2 * (32 + 18))
    assert api.estimate(api.check(config)).pictures is None


def test_check_foretells_what_the_run_counts(config: Keys) -> None:
    found = api.estimate(api.check(config))
    assert found.formats == {}
    assert [example[-1] for example in found.examples] == [("", name) for name in sorted(COLOURS)]
    result = adapt_core.run(config)
    assert (found.total_parameters, found.trainable_parameters) == (
        result.total_parameters,
        result.trainable_parameters,
    )
    assert found.steps == result.steps
    assert found.memory is not None
    assert found.memory.activations


def test_class_folders_have_no_format_to_name(config: Keys) -> None:
    with pytest.raises(InputError, match=r"DATA_FORMAT: json is a format of files, and .* holds class folders\."):
        api.check({**config, "DATA_FORMAT": "json"})


def test_the_command_writes_the_drawing(forked_adapt: Callable[..., Any], keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps(keys), encoding="utf-8")
    told = forked_adapt("check", "c.yaml", "--draw", "seen.png")
    assert told.returncode == 0, told.stderr
    assert "drawn: seen.png" in told.stdout
    assert Image.open(tmp_path / "seen.png").format == "PNG"
    refused = forked_adapt("check", "c.yaml", "--draw", "no/such/folder/seen.png")
    assert refused.returncode == 2
    assert "--draw no/such/folder/seen.png cannot be written" in refused.stderr
