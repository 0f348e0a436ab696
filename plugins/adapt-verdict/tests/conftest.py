"""Texts of the tests: made up, each unlike the others."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from adapt_core.plugin import Examples, Subject

WORDS = {
    "money": "bank credit loan price market shares profit invoice account payment dollars interest fund budget tax",
    "garden": "rose tulip soil seeds water spade tree branch lawn compost bloom hedge pot leaves bee",
    "ship": "harbour sail anchor captain deck mast tide crew storm cargo lighthouse rope keel voyage port",
}
COMMON = ["the", "a", "of", "and", "to", "in", "it", "was", "is", "on", "for", "with", "that", "as", "from", "this"]
COMMON += ["they", "which", "about", "we"]


def texts_of(topic: str, count: int, seed: int = 0) -> list[str]:
    """Return texts of twelve words about a topic."""
    chance = random.Random(f"{topic} {seed}")
    own = WORDS[topic].split()
    return [" ".join(chance.choice(own if chance.random() < 0.5 else COMMON) for _ in range(12)) for _ in range(count)]


def labelled_texts(count: int, seed: int = 0) -> Examples:
    """Return so many texts of each topic with it as their label, mixed."""
    pairs = [(text, topic) for topic in WORDS for text in texts_of(topic, count, seed)]
    random.Random(seed).shuffle(pairs)
    return Examples(texts=[text for text, _ in pairs], labels=[(topic,) for _, topic in pairs])


@pytest.fixture
def subject() -> Any:
    """Makes the subject of checks: splits by name."""

    def make(features: Any = None, seconds: float = 60.0, **splits: Examples) -> Subject:
        plan: Any = SimpleNamespace(training=SimpleNamespace(seed=0), data=SimpleNamespace(group_column=None))
        metrics = {"accuracy": "higher", "macro_f1": "higher"}
        return Subject(plan=plan, splits=splits, metrics=metrics, features=features, seconds=seconds)

    return make
