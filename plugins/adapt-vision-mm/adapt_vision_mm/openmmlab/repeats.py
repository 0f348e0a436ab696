"""REPEAT_THRESHOLD: images with rare classes, shown more often."""

from __future__ import annotations

import logging

from adapt_core.hf.data.resampling import Shares, repeat_factors

from adapt_vision_mm.mm_params import DetectorParams, MmParams
from adapt_vision_mm.openmmlab.contracts import MmDataset

log = logging.getLogger(__name__)


def repeated_images(images: MmDataset | None, params: MmParams) -> Shares | None:
    """Return how often an epoch shows each training image; None where each comes once.

    Args:
        images: of training, or None.
        params: of the task.
    """
    if images is None or not isinstance(params, DetectorParams) or params.repeat_threshold is None:
        return None
    objects = ((one for one in info["instances"] if not one["ignore_flag"]) for info in images.data_list)
    shares = repeat_factors([[one["bbox_label"] for one in each] for each in objects], params.repeat_threshold)
    log.info("REPEAT_THRESHOLD: %d images in an epoch, of %d", len(shares), len(images))
    return shares
