"""What Ray says of the end of its own processes is told as a loss, and nothing else is."""

from __future__ import annotations

import pytest
from ray import exceptions

from adapt_core.errors import LostProcessError

from adapt_ray.failures import fallen, first_failure, of_ray


def test_the_end_of_a_process_of_ray_is_a_loss_after_which_resume_goes_on() -> None:
    why = fallen(exceptions.LocalRayletDiedError())
    assert why is not None
    assert why.startswith("LocalRayletDiedError: ")
    assert "\n" not in why
    error = first_failure({}, {-1: {"fell": why}}, 60)
    assert isinstance(error, LostProcessError)
    assert str(error) == str(of_ray(why))
    assert str(error).endswith("--resume continues from the newest complete checkpoint.")


@pytest.mark.parametrize("error", [ValueError("no"), exceptions.RuntimeEnvSetupError("no")])
def test_another_error_is_none(error: Exception) -> None:
    assert fallen(error) is None
