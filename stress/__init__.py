"""Fault injection: killed runs, killed ranks, corrupted data sets, hostile folders.

`python -m stress.NAME --help`, from the root.

kill_anywhere.py   one process, killed and resumed
kill_ranks.py      ranks, launchers, machines and workers of Ray, killed and resumed
stop_together.py   several processes, stopped at random moments
runs.py            what these two share: the small job, commands, ranks, what is left
preloaded.py       their processes, forked with their imports done
folders/           run folders among files of somebody else
corrupt_data/      corrupted data sets
hostile_folders/   model and run folders that would run code
scale/             very many rows and steps
"""
