"""`adapt tune`: settings by search within a time.

In the order of the flow:

    plugin      the hooks
    params      the keys of the search: TUNE, TUNE_TRIALS
    command     the command
    space       what is searched, from TUNE or by default
    reading     the search that a config and a time ask for
    halving     how the time is shared out: rungs of successive halving
    study       the trials, in an Optuna study on SQLite
    proposals   the settings that are tried next
    trials      one run of a trial
    engine      trials at one time, in processes that a launcher starts
    final       the final run
    earlier     what a replaced search has left
    tuning      the search, from the first trial to the final run
    report      tuning.json and tuning.html of all trials
"""
