"""Data sets spoiled in every way that comes to mind: refused with the place named, or trained on. Never a traceback."""
