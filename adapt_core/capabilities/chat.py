"""What a task whose models write texts may support: a conversation on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import nn

Turn = dict[str, str]
"""{"role": "system", "user" or "assistant", "content": text}."""


class Chat(Protocol):
    """A model that is talked with.

    Attributes:
        is_chat: whether it was trained on conversations, and answers turns; else it continues text.
    """

    is_chat: bool

    def answer(self, turns: Sequence[Turn], stopped: Callable[[], bool]) -> Iterator[str]:
        """Yield the answer to the last turn in pieces, as they are written; without a chat, what continues the text.

        Args:
            turns: of one conversation; the last is the user's.
            stopped: asked at each token; where it is true, the answer ends there.

        Raises:
            InputError: the turns leave no room for an answer, or the model cannot take them.
        """


@runtime_checkable
class SupportsChat(Protocol):
    """A task whose models can be talked with. Optional; `adapt chat` needs it."""

    def answers_turns(self, folder: Path) -> bool:
        """Return whether a run's model was trained on conversations: `Chat.is_chat`, without the model.

        Args:
            folder: `model/` of the run folder, which may not be there (yet).
        """

    def open_chat(self, model: nn.Module, folder: Path) -> Chat:
        """Return a chat with a finished run's model.

        Args:
            model: plain, in evaluation mode.
            folder: `model/` of the run folder.
        """
