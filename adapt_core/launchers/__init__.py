"""Built-in launchers.

local.py  the run takes place in this process
"""
