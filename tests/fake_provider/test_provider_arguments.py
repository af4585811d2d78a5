"""The arguments of the provider's values: every mistake is one clear error, at once."""

from __future__ import annotations

import math

import pytest

from fake_provider import FakeProvider, Fault, HintStyle, Limits, ServiceTime
from fake_provider._limits import ALGORITHMS
from fake_provider._tokens import CostModel
from fake_provider._wire import DIALECTS

NAMES = ", ".join(DIALECTS)

PRESETS = "anthropic-acceleration, anthropic-build, *openrouter-free"


def message(error, make, *args, **kwargs):
    """Return the message of the error that a construction gives."""
    with pytest.raises((TypeError, ValueError)) as caught:
        make(*args, **kwargs)
    assert type(caught.value) is error
    return str(caught.value)


# What is allowed for each keyword, and values that are not.
NUMBERS = [
    ("tokens_per_minute", "a whole number, at least 1", (0, -1, 1.5, math.nan, math.inf)),
    ("requests_per_day", "a whole number, at least 1", (0, -1, 0.5, math.nan)),
    ("concurrent_requests", "a whole number, at least 1", (0, -1, 2.5, math.nan)),
    ("window", "a number of seconds above 0", (0, -1.0, math.nan, math.inf)),
    ("tokens_per_request", "a whole number, at least 0", (-1, 0.5, math.nan, math.inf)),
    ("output_tokens", "a whole number, at least 0", (-1, 0.5, math.nan, -math.inf)),
    ("latency", "a number of seconds, at least 0", (-0.1, math.nan, math.inf)),
    ("seed", "a whole number, at least 0", (-1, 0.5, math.nan)),
]


@pytest.mark.parametrize(
    ("name", "allowed", "value"),
    [(name, allowed, value) for name, allowed, values in NUMBERS for value in values],
)
def test_a_number_out_of_range_is_named_with_what_is_allowed(name, allowed, value):
    """The message states the keyword, the range and the value."""
    expected = f"{name} must be {allowed}, got {value!r}"
    assert message(ValueError, FakeProvider, **{name: value}) == expected


@pytest.mark.parametrize(
    ("name", "allowed", "value"),
    [(name, allowed, value) for name, allowed, _ in NUMBERS for value in ("3", True, [1])],
)
def test_what_is_no_number_is_named_with_what_is_allowed(name, allowed, value):
    """The message is that of a number out of range, as a TypeError."""
    expected = f"{name} must be {allowed}, got {value!r}"
    assert message(TypeError, FakeProvider, **{name: value}) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [(0, ValueError), (-1, ValueError), (math.nan, ValueError), ("3", TypeError)],
)
def test_a_stop_out_of_range_is_named_with_what_is_allowed(value, kind):
    """The message states the keyword as it was given, not what the clock calls it."""
    expected = f"stop_after must be a number of seconds above 0, got {value!r}"
    assert message(kind, FakeProvider, stop_after=value) == expected


START = "start must be an ISO 8601 string, a datetime, seconds since 1970, or None"
HOSTS = "hosts must be a mapping of host to dialect"
ALLOW = "allow_hosts must be a sequence of strings"


STATUS = "status must be 200, or a whole number from 300 to 599"


@pytest.mark.parametrize(
    ("arguments", "kind", "expected"),
    [
        ({"dialect": "azur"}, ValueError, f"dialect must be one of {NAMES}, got 'azur'"),
        ({"dialect": 5}, ValueError, f"dialect must be one of {NAMES}, got 5"),
        ({"door": "back"}, ValueError, "door must be one of in-process, server, got 'back'"),
        ({"clock": "fast"}, ValueError, "clock must be one of virtual, real, got 'fast'"),
        ({"schedule": "lifo"}, ValueError, "schedule must be 'fifo' or 'random', got 'lifo'"),
        ({"start": "noon"}, ValueError, f"{START}, got 'noon'"),
        ({"start": []}, TypeError, f"{START}, got []"),
        ({"start": math.nan}, ValueError, f"{START}, got nan"),
        (
            {"hint": "later"},
            ValueError,
            "hint must be one of seconds, ms, date, reset, none, got 'later'",
        ),
        ({"hint": 5}, TypeError, "hint must be a form or a HintStyle, got 5"),
        ({"hosts": ["a"]}, TypeError, f"{HOSTS}, got ['a']"),
        ({"hosts": 0}, TypeError, f"{HOSTS}, got 0"),
        ({"hosts": {5: "openai"}}, TypeError, f"{HOSTS}, got {{5: *}}"),
        (
            {"hosts": {"gw.corp": "azur"}},
            ValueError,
            f"hosts['gw.corp'] must be one of {NAMES}, got 'azur'",
        ),
        ({"allow_hosts": "a.b"}, TypeError, f"{ALLOW}, got 'a.b'"),
        ({"allow_hosts": 5}, TypeError, f"{ALLOW}, got 5"),
        ({"allow_hosts": [5]}, TypeError, f"{ALLOW}, got [5]"),
        ({"preset": "anthropic"}, ValueError, f"preset must be one of {PRESETS}, got 'anthropic'"),
        ({"preset": ["x"]}, ValueError, f"preset must be one of {PRESETS}, got ['x']"),
        (
            {"algorithm": "leaky"},
            ValueError,
            f"algorithm must be one of {', '.join(ALGORITHMS)}, got 'leaky'",
        ),
        (
            {"strict_clock": "yes"},
            TypeError,
            "strict_clock must be True or False, got 'yes'",
        ),
    ],
)
def test_what_is_none_of_the_choices_is_named_with_the_choices(arguments, kind, expected):
    """The message states the keyword, what there is to choose from, and the value."""
    got = message(kind, FakeProvider, **arguments)
    head, star, tail = expected.partition("*")
    assert (got.startswith(head) and got.endswith(tail)) if star else got == expected


@pytest.mark.parametrize("value", [5, None, "tokens_per_minute", {"tokens_per_minute": 5}])
def test_a_positional_argument_must_be_limits(value):
    """What is not a Limits value is named."""
    expected = f"*limits must be Limits(...) values, got {value!r}"
    assert message(TypeError, FakeProvider, value) == expected


def test_an_unknown_keyword_is_named():
    """A slip in a keyword is a TypeError that names it."""
    assert "'token_per_minute'" in message(TypeError, FakeProvider, token_per_minute=5)


@pytest.mark.parametrize(
    "arguments",
    [{"schedule": "lifo"}, {"stop_after": -1.0}, {"start": "noon"}],
    ids=lambda arguments: next(iter(arguments)),
)
def test_arguments_of_the_virtual_clock_are_checked_on_the_real_one_too(arguments):
    """A wrong value does not wait for the day on which the clock is switched."""
    message(ValueError, FakeProvider, clock="real", **arguments)


def test_a_whole_float_is_a_seed_as_it_is_any_other_whole_number():
    """1.0 is 1 wherever a whole number is asked for."""
    assert FakeProvider(seed=1.0).trace.seed == 1


def test_limits_join_in_the_order_in_which_they_are_given():
    """Positional limits come first, then the preset's, then those stated by keyword."""
    provider = FakeProvider(Limits(tokens_per_day=9), preset="mistral-free", requests_per_day=7)
    assert [limit.name for limit in provider.limits] == [
        "tokens_per_day",
        "requests_per_minute",
        "tokens_per_minute",
        "requests_per_day",
    ]


@pytest.mark.parametrize(
    ("name", "allowed", "values"),
    [
        ("mean", "a number of seconds, at least 0", (-1, math.nan, math.inf)),
        ("cv", "a number of (standard deviation / mean), at least 0", (-0.1, math.nan)),
        ("first_token", "a number of seconds, at least 0", (-1, math.nan)),
        ("tokens_per_second", "a number of tokens per second above 0", (0, -1, math.nan)),
        ("refusal", "a number of seconds, at least 0", (-1, math.inf)),
    ],
)
def test_a_service_time_out_of_range_is_named_with_what_is_allowed(name, allowed, values):
    """Each number of a ServiceTime states its range, and its type."""
    for value in values:
        expected = f"{name} must be {allowed}, got {value!r}"
        assert message(ValueError, ServiceTime, **{name: value}) == expected
    for value in ("1", True):
        expected = f"{name} must be {allowed}, got {value!r}"
        assert message(TypeError, ServiceTime, **{name: value}) == expected


@pytest.mark.parametrize("value", ["1", True, [], object])
def test_a_latency_is_seconds_or_a_model(value):
    """What is neither a number nor a ServiceTime is a TypeError that names it."""
    assert message(TypeError, FakeProvider, latency=value).startswith("latency must be a number of")


@pytest.mark.parametrize(
    ("arguments", "kind", "expected"),
    [
        (
            {"status": 199},
            ValueError,
            f"{STATUS}, got 199",
        ),
        (
            {"status": 204},
            ValueError,
            f"{STATUS}, got 204",
        ),
        (
            {"kind": "cat"},
            ValueError,
            "kind must be one of error, cut, stall, ",
        ),
        ({"after": -1}, ValueError, "after must be a whole number, at least 0, got -1"),
        ({"kind": "stall"}, ValueError, "seconds must be a number of seconds above 0, got 0.0"),
        ({"seconds": 1.0}, ValueError, "seconds must be left out unless kind is stall, got 1.0"),
        ({"code": 7}, TypeError, "code must be a string or None, got 7"),
        (
            {"status": 600},
            ValueError,
            f"{STATUS}, got 600",
        ),
        (
            {"status": "429"},
            TypeError,
            f"{STATUS}, got '429'",
        ),
        (
            {"status": True},
            TypeError,
            f"{STATUS}, got True",
        ),
        (
            {"status": 429.0},
            TypeError,
            f"{STATUS}, got 429.0",
        ),
        ({"headers": 5}, TypeError, "headers must"),
        ({"headers": {5: "x"}}, TypeError, "headers must"),
        ({"headers": {"a": "b\r\nc"}}, ValueError, "headers must"),
        ({"body": 5}, TypeError, "body must"),
        ({"body": {"a": {1}}}, TypeError, "body must"),
    ],
)
def test_a_fault_that_cannot_be_sent_is_named(arguments, kind, expected):
    """A mistake in a script is an error where it is written, not where it is met."""
    assert message(kind, Fault, **arguments).startswith(expected)


FORMS = "seconds, ms, date, reset, none"


@pytest.mark.parametrize(
    ("arguments", "kind", "expected"),
    [
        (
            {"form": "later"},
            ValueError,
            f"form must be one of {FORMS}, got 'later'",
        ),
        (
            {"pad_s": math.inf},
            ValueError,
            "pad_s must be a number of seconds, got inf",
        ),
        (
            {"pad_s": "1"},
            TypeError,
            "pad_s must be a number of seconds, got '1'",
        ),
        (
            {"skew_s": math.nan},
            ValueError,
            "skew_s must be a number of seconds, got nan",
        ),
    ],
)
def test_a_hint_style_out_of_range_is_named_with_what_is_allowed(arguments, kind, expected):
    """Each argument of a HintStyle states its range."""
    assert message(kind, HintStyle, **arguments) == expected


@pytest.mark.parametrize("name", ["tokens_per_request", "output_tokens"])
@pytest.mark.parametrize(("value", "kind"), [(-1, ValueError), ("5", TypeError), (0.5, ValueError)])
def test_a_cost_out_of_range_is_named_with_what_is_allowed(name, value, kind):
    """The number of tokens of a request is a whole one of at least 0."""
    expected = f"{name} must be a whole number, at least 0, got {value!r}"
    assert message(kind, CostModel, **{name: value}) == expected


def test_values_take_keywords_only():
    """A position says nothing of units: ServiceTime, Fault and HintStyle take none."""
    for make in (ServiceTime, Fault, HintStyle):
        message(TypeError, make, 1)
