"""Keypoints of bodies, with any 2d model of mmpose.

In the order of the flow:

    task              the task pose_detection
    data              annotations with keypoints
    dataset           a split as a dataset of mmpose
    mirrored_points   the keypoints that change places in a mirrored image
    metainfo          the keypoints as mmpose describes them
    approaches        what differs between top-down and bottom-up models
    config            a head for the data's keypoints
    results           predicted poses as COCO results
    metrics           COCO average precision by object keypoint similarity
    preview           poses drawn on images
    predict           predictions on image files
"""
