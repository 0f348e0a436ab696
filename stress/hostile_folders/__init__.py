"""Model and run folders that would run code in whoever uses them: none of their markers may appear.

    python -m stress.hostile_folders [--only PART] [--out table.json] [--page docs/security.md]

__main__.py   tries every kind with every command and prints the table
subjects.py   the finished runs that are made hostile
commands.py   predict, export, compare, resume, and use as a base
kinds.py      what is planted in a run of a language model
detectors.py  what is planted in a run of a detector

A marker is an empty file. With trust, the kinds that TRUST_REMOTE_CODE is for must leave theirs: this shows that the
marker works, and that the key does.
"""
