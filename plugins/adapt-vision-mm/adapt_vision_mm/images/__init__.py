"""Images from files and bytes, and images that are shown. Reading needs Pillow alone.

folders.py      class folders and split folders -> image files
inputs.py       command-line arguments -> image files
rows.py         the images of a parquet file -> image files
decoder.py      a file or bytes -> upright 8-bit RGB, or the reason why not
sides.py        left and right in the names of keypoints and classes
captions.py     words on images
overlays.py     boxes, masks and keypoints drawn over an image
thumbnails.py   images for the report and for `adapt check`: downscaled, as data URIs, in a captioned grid
usage.py        lines of a model card that read a photo
output_files.py names of the images that `adapt predict` writes
"""
