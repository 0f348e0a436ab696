"""Texts of errors that several modules share."""

from __future__ import annotations

import pickle

from adapt_core.errors import BadInputsError, first_of


def test_a_long_list_is_cut_short_and_the_rest_counted() -> None:
    assert first_of(["a", "b", "c", "d", "e"], 2) == "a, b and 3 more"
    assert first_of({3: "x", 4: "y"}, 2) == "3, 4"
    assert first_of(()) == ""


def test_bad_inputs_pass_between_processes() -> None:
    error = BadInputsError({2: " is empty. Give a text.", 5: " is no text."})
    there = pickle.loads(pickle.dumps(error))
    assert (there.faults, str(there)) == (error.faults, str(error))
