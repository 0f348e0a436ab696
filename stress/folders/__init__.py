"""Run folders among files of somebody else: nothing of theirs is lost, and each result is whole.

plugin.py task.py  a task that trains in a tenth of a second and writes everything that runs write
world.py           a folder with data, a base model, and files and links of somebody else
process.py         a command in a process of its own, killed or without space at a chosen change of the disk
check.py           what must hold after each command
__main__.py        random arrangements, and the counts
"""
