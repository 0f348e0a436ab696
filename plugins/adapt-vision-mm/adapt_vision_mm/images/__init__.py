"""Images from files and bytes, as the vision tasks read them. Needs Pillow alone."""
