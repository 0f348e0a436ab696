#!/usr/bin/env bash
# heif_orientation: handing on the EXIF block loses a photo's orientation in HEIF, and only there
# packages: pillow-heif==1.8.1 pillow==13.0.0 numpy==2.4.6
# guess: As with JPEG, PNG, WebP and AVIF, save(exif=photo.getexif()) keeps the orientation, and plain save loses it.
# seen: The other way round. Plain save turns the picture as the photo's orientation says; with exif=photo.getexif() the
#   file has unturned pixels and no orientation, so exif_transpose leaves it lying. WebP, PNG and AVIF do as guessed.
# matters: A data set converted to HEIF by the usual line is trained lying down, and its boxes no longer fit. Call
#   exif_transpose before saving, whatever the format.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageOps
from seen import seen

pillow_heif.register_heif_opener()
pixels = np.zeros((32, 64, 3), np.uint8)
pixels[:, :8] = [255, 0, 0]
exif = Image.Exif()
exif[ExifTags.Base.Orientation] = 6
Image.fromarray(pixels).save("photo.jpg", exif=exif, quality=95)


def shown(kind, **options):
    """Save the photo in another format: the size that exif_transpose then shows. Upright it is 32 wide and 64 high."""
    with Image.open("photo.jpg") as photo:
        photo.save(f"copy.{kind}", **options)
    with Image.open(f"copy.{kind}") as copy:
        return ImageOps.exif_transpose(copy).size


with Image.open("photo.jpg") as photo:
    handed_on = photo.getexif()
for kind in ("png", "webp", "avif"):
    seen(f"{kind}, plain and with exif", (shown(kind), shown(kind, exif=handed_on)), ((64, 32), (32, 64)))
seen("heic, plain and with exif", (shown("heic"), shown("heic", exif=handed_on)), ((32, 64), (64, 32)))
PY
