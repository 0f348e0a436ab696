"""Masks of objects, with any instance segmentation model of mmdet.

In the order of the flow:

    task       the task instance_segmentation
    data       COCO JSON with masks, or PNG label maps
    config     heads for the data's classes, in a model that predicts masks
    metrics    COCO average precision of masks and boxes
    preview    masks drawn on images

`openmmlab/detectors/` has what it shares with object_detection, predictions included.
"""
