"""adapt-vision-mm: see README.md.

plugin.py               the hook module
mm_params.py            the parameters of the OpenMMLab tasks
image_classification/   images into classes, with timm or Hugging Face models
object_detection/       boxes, with mmdet
instance_segmentation/  masks, with mmdet
pose_detection/         keypoints, with mmpose
annotations/            annotated images, whatever files they come from
images/                 image files
openmmlab/              what the tasks of mmdet and mmpose share
"""
