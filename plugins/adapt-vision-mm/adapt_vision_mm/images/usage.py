"""Lines of a model card that read a photo as adapt does, without adapt."""

from __future__ import annotations

READ_PHOTO = """\
# As in training, photos are turned as their EXIF says, grey of 16 bits becomes 8, and transparency becomes white.
# from PIL import Image, ImageOps
# from numpy import asarray
# photo = ImageOps.exif_transpose(Image.open("photo.jpg"))
# photo = Image.fromarray((asarray(photo) / 257).round().astype("uint8")) if "16" in photo.mode else photo
# photo = photo.convert("RGBA")
# photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo).convert("RGB")"""
"""Comments that make `photo`, an image of Pillow in RGB."""
