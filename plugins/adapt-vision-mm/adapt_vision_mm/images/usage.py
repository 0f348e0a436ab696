"""Lines of a model card that read a photo as adapt does, without adapt."""

from __future__ import annotations

READ_PHOTO = """\
# As in training, photos are turned as their EXIF says, and transparency becomes white.
# from PIL import Image, ImageOps
# photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGBA")
# photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo).convert("RGB")"""
"""Comments that make `photo`, an image of Pillow in RGB."""
