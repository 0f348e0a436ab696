"""adapt-vision-mm: see README.md."""
