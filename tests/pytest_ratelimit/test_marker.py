"""Marker: several markers become one test's settings, and speak to provider and judge."""

from __future__ import annotations

import inspect

import anthropic
import pytest

from fake_provider import FakeProvider, Limits
from pytest_ratelimit import Policy, assert_well_behaved
from pytest_ratelimit._accepted import accepted
from pytest_ratelimit._marker import JUDGE, Settings, merge

ONE, TWO = Limits(tokens_per_minute=1), Limits(tokens_per_minute=2)


def test_no_marker_states_nothing():
    """A test without a marker has a provider without limits and a judge with its defaults."""
    assert merge([]) == Settings()
    assert FakeProvider(*Settings().limits, **Settings().provider).limits == Limits()


def test_the_nearest_marker_wins_for_each_keyword():
    """What the nearest states is taken, what it leaves open comes from further away."""
    settings = merge([((), {"seed": 1}), ((), {"seed": 2, "latency": 2.0}), ((), {"latency": 3.0})])
    assert settings.provider == {"seed": 1, "latency": 2.0}


@pytest.mark.parametrize("value", [None, 0, 0.0, False, (), {}])
def test_the_nearest_value_wins_whatever_it_is(value):
    """A value that counts as nothing still takes the place of one further away."""
    assert merge([((), {"latency": value}), ((), {"latency": 3.0})]).provider == {"latency": value}


def test_positional_limits_are_those_of_the_nearest_marker_that_has_some():
    """Limits do not add up over class and function: the nearest set holds."""
    assert merge([((), {}), ((ONE, TWO), {}), ((TWO,), {})]).limits == (ONE, TWO)


def test_keywords_of_the_judge_are_kept_from_the_provider():
    """`alpha`, `ignore` and `policy` are the judge's, everything else the provider's."""
    policy = Policy(burst_declared=True)
    nearer, farther = {"alpha": 0.1, "seed": 1}, {"ignore": {"RL101": "why"}, "policy": policy}
    settings = merge([((), nearer), ((), farther)])
    assert settings.judge == {"alpha": 0.1, "ignore": {"RL101": "why"}, "policy": policy}
    assert settings.provider == {"seed": 1}


def test_a_nearer_mapping_replaces_the_whole_of_a_farther_one():
    """`ignore` is one keyword, so its codes do not add up: what holds can be read in one place."""
    settings = merge([((), {"ignore": {"RL101": "why"}}), ((), {"ignore": {"RL201": "why"}})])
    assert settings.judge == {"ignore": {"RL101": "why"}}
    assert merge([((), {"ignore": {}}), ((), {"ignore": {"RL201": "why"}})]).judge == {"ignore": {}}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("token_per_minute", "did you mean tokens_per_minute?"),
        ("latancy", "did you mean latency?"),
        ("ignores", "did you mean ignore?"),
        ("Alpha", "did you mean alpha?"),
        ("xyzzy", "known are tokens_per_minute, "),
    ],
)
def test_an_unknown_keyword_is_named_with_the_nearest_there_is(name, hint):
    """A slip names what was meant; nonsense lists what there is."""
    with pytest.raises(TypeError) as caught:
        merge([((), {name: 1})])
    assert str(caught.value).startswith(f"unknown keyword {name!r}: {hint}")


def test_an_unknown_keyword_of_a_marker_further_away_is_named_too():
    """A nearer marker does not hide the slip."""
    with pytest.raises(TypeError, match="unknown keyword 'latancy'"):
        merge([((), {"latency": 1.0}), ((), {"latancy": 2.0})])


def test_every_keyword_of_the_provider_is_one_of_the_marker():
    """The marker takes what FakeProvider takes, and what the judge takes."""
    parameters = inspect.signature(FakeProvider).parameters.values()
    keywords = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert keywords
    assert not set(keywords) & set(JUDGE)
    merged = merge([((), dict.fromkeys((*keywords, *JUDGE)))])
    assert dict(merged.provider) == keywords


# The plugin is installed where the tests run, so these two use the fixture as a user does.


@pytest.mark.ratelimit(alpha=0.25, ignore={"RL902": "nothing is refused here"}, seed=9)
def test_what_the_marker_accepts_holds_while_its_test_runs(fake_provider):
    """The judge of this test has the level and the codes of its marker."""
    assert (accepted().alpha, list(accepted().ignore)) == (0.25, ["RL902"])
    assert fake_provider.trace.seed == 9
    anthropic.Anthropic().messages.create(
        model="claude-sonnet-5", max_tokens=16, messages=[{"role": "user", "content": "hello"}]
    )
    assert_well_behaved(fake_provider.trace)


def test_what_a_marker_accepts_ends_with_its_test():
    """The next test has a judge with its defaults again."""
    assert accepted().alpha is None
    assert accepted().ignore == {}
