"""The task instance_segmentation."""
