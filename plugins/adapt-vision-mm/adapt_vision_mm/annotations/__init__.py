"""Annotated images in COCO terms, whatever files they come from. Imports no OpenMMLab.

In the order of the flow:

    sources             the files that a config names for a split
    coco_images         where the images of a COCO file lie
    formats/            one module per annotation format, and which of them reads a split
    image_files         defects of image files, found without decoding them
    image_lists         text files with one image name per line
    mask_check          defects of polygons and RLE masks
    bad_rows            defects of a file, collected: an error, or counts of dropped rows
    annotated_split     what every format is read into
    splits              all splits of a run, with the same classes in each
    metric_names        names of the metrics
    rle                 predicted masks as COCO results have them
    average_precision   COCO average precision of predictions
    class_metrics       average precision by class, accuracy by keypoint
"""
