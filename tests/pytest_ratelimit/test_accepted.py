"""Accepted: what a test states about its own verdict, for as long as it runs."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest

from pytest_ratelimit._accepted import Accepted, accepted, accepting
from pytest_ratelimit._checks import Policy
from pytest_ratelimit._findings import CODES


def test_without_a_marker_nothing_is_accepted():
    """Outside a marked test the default level holds, and no code is ignored."""
    assert accepted() == Accepted(alpha=None, ignore={})


def test_what_is_accepted_holds_inside_the_block():
    """The innermost block counts, and afterwards what was before."""
    outer, inner = Accepted(alpha=0.1), Accepted(ignore={"RL101": "a load test"})
    with accepting(outer):
        with accepting(inner):
            assert accepted() is inner
        assert accepted() is outer
    assert accepted() == Accepted()


def test_an_error_inside_ends_what_is_accepted():
    """A test that fails leaves nothing behind for the next."""

    def fail():
        with accepting(Accepted(alpha=0.1)):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert accepted() == Accepted()


def test_blocks_may_end_in_another_order_than_they_began():
    """Fixtures of several scopes are not nested: each takes out its own."""
    first, second = accepting(Accepted(alpha=0.1)), accepting(Accepted(alpha=0.2))
    first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)
    assert accepted().alpha == 0.2
    second.__exit__(None, None, None)
    assert accepted() == Accepted()


def test_it_is_a_frozen_value():
    """Nobody changes the verdict of a test that is running."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        accepted().alpha = 0.5


FORM = 'ignore must map codes to reasons, such as {"RL101": "the job is a load test"}'


@pytest.mark.parametrize("ignore", ["RL101", ["RL101"], {"RL101"}, 5])
def test_what_is_ignored_is_a_mapping(ignore):
    """A code without its reason is a TypeError that shows the form."""
    with pytest.raises(TypeError, match=re.escape(f"{FORM}, got {ignore!r}")):
        Accepted(ignore=ignore)


@pytest.mark.parametrize("code", ["RL999", "missing-jitter", "rl101", 101])
def test_an_unknown_code_is_named(code):
    """A code that there is not cannot be ignored, however it is written."""
    with pytest.raises(ValueError, match=f"ignore names an unknown code {code!r}"):
        Accepted(ignore={code: "reason"})


@pytest.mark.parametrize("reason", ["", "  ", None, 5, True])
def test_a_code_is_ignored_for_a_reason(reason):
    """An empty reason is none."""
    with pytest.raises(ValueError, match=r"ignore\['RL101'\] must give a reason, got "):
        Accepted(ignore={"RL101": reason})


UNACCEPTABLE = [code for code, each in CODES.items() if each.accept == ""]


@pytest.mark.parametrize("code", CODES)
def test_every_code_can_be_accepted_but_those_that_say_they_cannot(request, code):
    """What a finding says of accepting it is what the marker takes."""
    if code in UNACCEPTABLE:
        with pytest.raises(ValueError, match=code):
            Accepted(ignore={code: "reason"})
    else:
        assert Accepted(ignore={code: "reason"}).ignore == {code: "reason"}


@pytest.mark.parametrize("alpha", [0, 1, -0.5, 7, math.nan, "0.1", True])
def test_a_level_out_of_range_is_named(alpha):
    """A level is a number above 0 and below 1, and is wrong where it is stated."""
    with pytest.raises((TypeError, ValueError), match="alpha must be a"):
        Accepted(alpha=alpha)


def test_the_level_of_the_test_is_that_of_its_policy_unless_it_states_one():
    """`alpha=` is the nearer of the two."""
    assert Accepted().judged_by == Policy()
    assert Accepted(policy=Policy(alpha=0.1)).judged_by.alpha == 0.1
    assert Accepted(alpha=0.2, policy=Policy(alpha=0.1, max_attempts=4)).judged_by == Policy(
        alpha=0.2, max_attempts=4
    )


@pytest.mark.parametrize("policy", [{"max_attempts": 4}, 4, Policy])
def test_a_policy_is_a_policy(policy):
    """Anything else is named, with an example."""
    with pytest.raises(TypeError, match=r"policy must be a Policy, such as Policy\(.*\), got "):
        Accepted(policy=policy)


def test_what_is_declared_is_one_line_each():
    """The report of a test's outcome has what the test stated, and nothing else."""
    assert Accepted().declared == []
    stated = Accepted(
        alpha=0.1,
        ignore={"RL101": "a load test", "RL201": "alone"},
        policy=Policy(burst_declared=True, max_wait_s=60.0),
    )
    assert stated.declared == [
        "Judged by alpha=0.1, max_wait_s=60.0, burst_declared=True",
        "RL101 is accepted: a load test",
        "RL201 is accepted: alone",
    ]
