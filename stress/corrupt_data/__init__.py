"""Data sets corrupted in many ways: refused with the location named, or trained on, never with a traceback."""
