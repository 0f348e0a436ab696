"""Which format a split is in: the one that DATA_FORMAT names, or the one that recognises it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import FormatChoice
from adapt_core.contracts.format import Place
from adapt_core.errors import DefectError, InputError
from adapt_core.plugin.import_strings import load_object

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Recognised:
    """A split with its format.

    Attributes:
        choice: the format.
        format: its implementation.
        place: the split, with the files that the format reads.
        reason: by what it was recognised, for `adapt check`.
    """

    choice: FormatChoice
    format: Any
    place: Place
    reason: str

    def to_data(self) -> dict[str, str]:
        """Return the format's name, the distribution that registered it, and the reason: JSON-ready."""
        choice = self.choice
        return {
            "format": choice.name,
            "distribution": f"{choice.distribution} {choice.version}",
            "reason": self.reason,
        }


def recognise(place: Place, formats: Sequence[FormatChoice], named: str | None = None) -> Recognised | None:
    """Return the format of a split; None where no format recognises it.

    Args:
        place: the split, with its files of any suffix.
        formats: those that serve the task.
        named: DATA_FORMAT. Its format is not asked, and gets all files.

    Raises:
        InputError: two formats recognise the split; the message has both, with their reasons.
        DefectError: the named format cannot be loaded.
    """
    if named is not None:
        choice = next(one for one in formats if one.name == named)
        return Recognised(choice=choice, format=load_format(choice), place=place, reason="DATA_FORMAT names it")
    for general in (False, True):
        asked = (_ask(choice, place) for choice in formats if choice.general is general)
        claims = [claim for claim in asked if claim is not None]
        if len(claims) > 1:
            raise InputError(_two(place, claims))
        if claims:
            return claims[0]
    return None


def files_of(choice: FormatChoice, files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files with a suffix of the format; all where it names none."""
    return tuple(path for path in files if not choice.suffixes or path.suffix.casefold() in choice.suffixes)


def load_format(choice: FormatChoice) -> Any:
    """Return the implementation of a format.

    Raises:
        DefectError: it cannot be imported or constructed; the message names the plugin.
    """
    try:
        return load_object(choice.implementation)()
    except Exception as error:
        raise DefectError(
            f"format {choice.name!r} of {choice.distribution} {choice.version} cannot be loaded: "
            f"{type(error).__name__}: {error}."
        ) from error


def _ask(choice: FormatChoice, place: Place) -> Recognised | None:
    own = attrs.evolve(place, files=files_of(choice, place.files))
    if (choice.suffixes and not own.files) or (choice.general and own.files != place.files):
        return None
    try:
        reader = load_format(choice)
        reason = reader.recognise(own)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin's code may raise anything, and other formats are asked as well
        log.warning(
            "format %s of %s %s is not asked about %s: %s",
            choice.name,
            choice.distribution,
            choice.version,
            described(own),
            error if isinstance(error, DefectError) else f"it raised {type(error).__name__}: {error}",
        )
        return None
    return None if reason is None else Recognised(choice=choice, format=reader, place=own, reason=str(reason))


def _two(place: Place, claims: Sequence[Recognised]) -> str:
    told = " and ".join(
        f"{one.choice.name} of {one.choice.distribution} {one.choice.version} ({one.reason})" for one in claims
    )
    return f"{described(place)} is recognised by {told}. Set DATA_FORMAT to the one that it is."


def described(place: Place) -> str:
    """Return the split's first file, or its folder, for messages."""
    return str(place.files[0] if place.files else place.root)
