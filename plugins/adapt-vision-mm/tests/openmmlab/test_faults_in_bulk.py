"""A short form of stress.corrupt_data on annotated images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("mmpose", reason="needs adapt-vision-mm[detection] and mmpose")

from benchmarks.small_jobs import JOBS
from stress.corrupt_data.__main__ import corrupt_job


@pytest.mark.parametrize("name", ["object_detection", "instance_segmentation", "pose_detection"])
def test_corrupted_annotations_and_images_are_refused_with_their_place_or_trained_on(
    shared_data: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    [job] = (job for job in JOBS if job.name == name)
    corrupt_job(job, shared_data, every=24, seconds=100)
    tried = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert [line for line in tried if line["state"] == "finding"] == []
    assert {line["state"] for line in tried} == {"accepted", "refused"}
