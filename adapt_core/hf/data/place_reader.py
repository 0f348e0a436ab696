"""Several data sets: each read by itself, all joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.data_places import DataPlace, data_places
from adapt_core.hf.data.class_names import with_names_of_train
from adapt_core.hf.data.places import joined, naming

if TYPE_CHECKING:
    from datasets import Dataset


def read_places(
    data: DataParams, read: Callable[[DataPlace], Mapping[str, Dataset]]
) -> dict[DataPlace, Mapping[str, Dataset]]:
    """Return the splits of each of several data sets.

    Args:
        data: of the run.
        read: reads one of them.

    Raises:
        InputError, DataError: as `read`; the message names the place.
    """
    found = {}
    for place in data_places(data):
        with naming(place):
            found[place] = read(place)
    return found


def joined_places(data: DataParams, read: Mapping[DataPlace, Mapping[str, Dataset]]) -> dict[str, Dataset]:
    """Return the splits of several data sets as one, see `joined`.

    Args:
        data: of the run.
        read: the return value of `read_places`.

    Raises:
        DataError: they do not fit together; the message names the place.
    """
    return with_names_of_train(joined(read, [place.name for place in data_places(data)]))
