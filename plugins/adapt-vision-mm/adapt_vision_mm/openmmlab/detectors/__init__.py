"""What object_detection and instance_segmentation share: the parts of mmdet that know boxes and masks.

In the order of the flow:

    dataset       an annotated split as a dataset of mmdet
    pipelines     the image pipelines
    own_pipeline  the config's own training pipeline, as one step
    own_transform  what runs it
    config        a config adapted to the data's classes
    samples       mmdet's data samples as COCO annotations and results
    prediction    predictions on image files
"""
