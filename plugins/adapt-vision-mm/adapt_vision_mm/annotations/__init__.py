"""Annotated images in COCO terms, whatever files they come from. Imports no OpenMMLab.

In the order of the flow:

    sources             the files that a config names for a split
    standard_files      the file of a split that bears a usual name
    coco_images         where the images of a COCO file lie
    formats/            one module per annotation format, and which of them reads a split
    image_files         defects of image files, found without decoding them
    image_lists         text files with one image name per line
    image_search        images by the path that they had elsewhere
    export_places       where exports of annotation tools lie
    json_files          JSON files as a whole
    xml_files           XML files as trees with lines, without entities
    shapes              drawn shapes as boxes and polygons
    mask_check          defects of polygons and RLE masks
    bad_rows            defects of a file, collected: an error, or counts of dropped rows
    annotated_split     what every format is read into
    merged              several files of one split as one
    repeats             the objects that several files have of one image
    splits              all splits of a run, with the same classes in each
    further             data sets of ALSO_EVALUATE, with the classes of the run
    metric_names        names of the metrics
    rle                 masks as COCO's run-length encoding
    average_precision   COCO average precision of predictions
    score_thresholds    the least score of a class with the best F1
    image_rows          what an evaluation finds of each image
    class_metrics       average precision by class, accuracy by keypoint
"""
