"""The surroundings of a running process.

plain_text.py          control characters and the like as escapes
format.py              figures, sizes and spans of time
progress.py            progress on the terminal
logs.py                log records on the terminal and in log.txt
budget.py              BUDGET: the steps that fit into a time
interrupts.py          Ctrl-C, SIGTERM, SIGUSR1 and STOP_AFTER
environment_errors.py  full disks, lost files and the like as user errors
recorder.py            metrics of a run: metrics.jsonl, terminal, observers
cores.py               processor cores, and NUM_WORKERS within them
"""
