"""Exporters that core provides.

saved.py    the four SAVE_METHODs, loaded again by the lines of the model card
reload.py   the program that loads them, in a process without adapt
"""
