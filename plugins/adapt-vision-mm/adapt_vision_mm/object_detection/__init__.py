"""Boxes around objects, with any detector of mmdet.

In the order of the flow:

    task       the task object_detection
    data       COCO JSON or Pascal VOC
    config     heads for the data's classes
    metrics    COCO average precision of boxes
    preview    boxes drawn on images

`openmmlab/detectors/` has what it shares with instance_segmentation, predictions included.
"""
