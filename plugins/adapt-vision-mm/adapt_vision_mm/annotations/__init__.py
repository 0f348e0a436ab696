"""Annotated images in COCO terms, whatever files they come from. Imports no OpenMMLab."""
