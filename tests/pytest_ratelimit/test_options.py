"""Options: the settings are the marker's keywords and the policy's thresholds."""

from __future__ import annotations

import dataclasses
import inspect

from fake_provider import FakeProvider
from pytest_ratelimit import Policy
from pytest_ratelimit._options import LIMITS, THRESHOLDS


def test_every_setting_is_a_keyword_of_the_provider() -> None:
    """What is written out is what the provider takes, and nothing is left out."""
    parameters = inspect.signature(FakeProvider).parameters.values()
    assert set(LIMITS) == {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}


def test_every_threshold_is_a_field_of_the_policy() -> None:
    """What is written out is what checks are judged by."""
    assert set(THRESHOLDS) == {each.name for each in dataclasses.fields(Policy)}
