"""For every code: what trips it, what must not, what is too little, and its message and remedy.

The table names tests; what it lists exists, and every code has a row. A code that is judged on
every run has no case of too little evidence.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_ratelimit._checks import CHECKED
from pytest_ratelimit._findings import CODES
from tests.pytest_ratelimit.test_checks import TRIPS

TESTS = Path(__file__).parent


class Row(NamedTuple):
    """Tests by what they show, each as `file.test`, without what all names begin with."""

    trips: str
    neighbour: str
    too_little: str
    message: str
    remedy: str


TABLE = {
    "RL101": Row(
        "synchronization.retries_at_one_instant_that_are_refused_again",
        "queueing.a_semaphore_lets_its_queue_in_together",
        "synchronization.two_callers_are_too_few",
        "messages.the_incident_s_waves",
        "remedies.the_delay_that_a_remedy_names",
    ),
    "RL102": Row(
        "jitter.equal_delays_after_a_refusal",
        "jitter.enough_jitter_is_the_innocent_neighbour",
        "jitter.two_delays_are_too_few_at_this_level",
        "messages.the_incident_s_fixed_delay",
        "remedies.the_delay_that_a_remedy_names",
    ),
    "RL103": Row(
        "hints.a_capped_wait_is_named",
        "hints.a_job_that_obeys_its_hints",
        "hints.giving_up_is_legal",
        "messages.a_hint_that_was_ignored",
        "remedies.the_delay_that_a_remedy_names",
    ),
    "RL104": Row(
        "seeds.four_seeds_among_twelve_callers",
        "seeds.own_seeds_are_the_innocent_neighbour",
        "seeds.two_callers_are_too_few",
        "messages.equal_seeds",
        "remedies.the_delay_that_a_remedy_names",
    ),
    "RL105": Row(
        "hints.all_attempts_inside_the_window_with_a_hint",
        "hints.a_call_that_outlasts_the_window_is_its_neighbour",
        "hints.a_single_attempt_gave_up_and_is_not_inside",
        "messages.all_attempts_inside_the_window",
        "remedies.delays_that_add_up_to_what_the_window_needs",
    ),
    "RL106": Row(
        "backoff.equal_delays_need_no_statistics",
        "backoff.growing_delays_are_the_innocent_neighbour",
        "backoff.too_few_calls_say_how_many_it_takes",
        "messages.a_flat_backoff",
        "remedies.the_delay_that_a_remedy_names",
    ),
    "RL107": Row(
        "backoff.three_immediate_retries",
        "backoff.a_fallback_to_another_model_or_key_may_come_at_once",
        "backoff.one_immediate_retry_is_too_little",
        "messages.retries_without_a_delay",
        "remedies.the_delay_that_a_remedy_names",
    ),
    "RL111": Row(
        "bounds.more_attempts_than_the_bound",
        "bounds.attempts_of_stacked_layers_are_left_to_their_own_code",
        "bounds.a_call_that_was_served_shows_no_bound",
        "messages.attempts_without_an_end",
        "remedies.the_bound_on_attempts",
    ),
    "RL112": Row(
        "layers.the_counter_that_starts_again_is_proof",
        "layers.the_sdk_alone_is_the_innocent_neighbour",
        "layers.too_little_without_a_counter",
        "messages.stacked_layers",
        "remedies.one_loop_instead_of_two",
    ),
    "RL113": Row(
        "amplification.more_than_three_attempts_per_call",
        "amplification.retries_that_were_served_are_the_innocent_neighbour",
        "amplification.terminal_errors_are_left_to_their_own_code",
        "messages.a_retry_storm",
        "remedies.a_shared_retry_budget",
    ),
    "RL114": Row(
        "amplification.requeued_work_in_the_incident",
        "amplification.the_same_question_asked_twice_is_not_repeated_work",
        "",
        "messages.repeated_work",
        "remedies.refused_work_that_is_kept_in_its_call",
    ),
    "RL121": Row(
        "terminal.a_quota_error_that_was_retried",
        "terminal.giving_up_on_it_is_the_innocent_neighbour",
        "terminal.without_such_an_error_there_is_nothing_to_judge",
        "messages.a_quota_that_was_used_up",
        "remedies_sdk.an_error_that_no_wait_cures",
    ),
    "RL122": Row(
        "terminal.a_declared_policy_that_never_fired",
        "terminal.a_policy_that_fired_is_the_innocent_neighbour",
        "terminal.giving_up_is_legal_where_nothing_is_declared",
        "messages.a_policy_that_never_fired",
        "remedies_sdk.a_policy_around_what_reads_the_answer",
    ),
    "RL123": Row(
        "replays.a_cut_stream_that_is_replayed",
        "replays.a_stream_that_broke_before_output_may_be_retried",
        "replays.without_a_broken_stream_there_is_nothing_to_judge",
        "replays.a_cut_stream_that_is_replayed",
        "",
    ),
    "RL124": Row(
        "replays.a_timeout_shorter_than_the_service_time",
        "replays.a_hedge_to_another_key_host_or_model_is_innocent",
        "replays.without_a_timeout_there_is_nothing_to_judge",
        "replays.a_timeout_shorter_than_the_service_time",
        "remedies_sdk.a_timeout_above_the_service_time",
    ),
    "RL201": Row(
        "budgets.demand_above_a_window_names_the_limit",
        "budgets.demand_at_the_limit_is_the_innocent_neighbour",
        "budgets.without_limit_or_budget_there_is_nothing_to_judge",
        "messages.a_bucket_overrun",
        "remedies.a_shared_bucket",
    ),
    "RL202": Row(
        "budgets.the_first_wave_alone_exceeds_the_limit",
        "budgets.waves_that_fit_are_the_innocent_neighbour",
        "budgets.without_limit_or_budget_there_is_nothing_to_judge",
        "messages.a_cold_start",
        "remedies.starts_that_the_limit_admits",
    ),
    "RL203": Row(
        "budgets.a_request_that_can_never_be_admitted",
        "budgets.a_request_as_large_as_the_limit_is_the_innocent_neighbour",
        "budgets.without_a_limit_on_tokens_no_request_is_too_large",
        "messages.a_request_that_can_never_fit",
        "remedies_sdk.a_request_that_the_limit_can_admit",
    ),
    "RL204": Row(
        "sharing.more_requests_in_flight_than_the_limit",
        "sharing.as_many_as_the_limit_allows_is_innocent",
        "sharing.without_a_limit_or_a_number_there_is_nothing_to_judge",
        "sharing.more_requests_in_flight_than_the_limit",
        "remedies_sdk.a_semaphore",
    ),
    "RL205": Row(
        "sharing.a_sibling_that_begins_while_a_refusal_binds",
        "sharing.a_sibling_that_does_no_harm_is_innocent",
        "sharing.without_a_hint_nobody_knows_how_long",
        "sharing.a_sibling_that_begins_while_a_refusal_binds",
        "remedies_sdk.a_hint_that_all_callers_share",
    ),
    "RL301": Row(
        "progress.calls_that_gave_up",
        "progress.calls_that_were_served_in_the_end_are_not_lost",
        "",
        "messages.lost_calls",
        "",
    ),
    "RL302": Row(
        "goodput.the_incident_has_collapsed",
        "goodput.a_job_behind_a_shared_bucket_is_the_innocent_neighbour",
        "goodput.nothing_served_has_no_ideal",
        "goodput.the_incident_has_collapsed",
        "remedies.a_shared_bucket",
    ),
    "RL303": Row(
        "starvation.a_large_call_that_all_others_pass",
        "starvation.a_call_like_the_others_is_not_starved",
        "starvation.without_a_call_that_tried_again_there_is_nothing_to_judge",
        "starvation.a_large_call_that_all_others_pass",
        "remedies.one_line_in_front_of_the_limit",
    ),
    "RL304": Row(
        "outages.retries_that_outlive_the_outage",
        "outages.a_retry_budget_recovers_at_once",
        "outages.an_outage_from_the_start_is_not_judged",
        "outages.retries_that_outlive_the_outage",
        "remedies.a_retry_budget_after_an_outage",
    ),
    "RL305": Row(
        "goodput.a_limiter_far_below_the_limit",
        "goodput.a_limiter_near_the_limit_is_the_innocent_neighbour",
        "goodput.polling_and_thinking_are_not_throttled",
        "goodput.a_limiter_far_below_the_limit",
        "remedies.a_limiter_at_the_rate_that_is_allowed",
    ),
    "RL901": Row(
        "evidence.refusals_of_which_nothing_could_be_judged",
        "evidence.refusals_of_which_nothing_could_be_judged",
        "",
        "messages.nothing_to_judge",
        "",
    ),
    "RL902": Row(
        "evidence.a_run_without_a_refusal_is_noted",
        "evidence.one_refusal_is_exercise",
        "",
        "messages.nothing_refused",
        "evidence.the_remedy_is_a_limit_that_would_refuse",
    ),
    "RL903": Row(
        "evidence.silence_is_an_error_that_lists_what_was_seen",
        "evidence.other_traffic_beside_attempts_is_no_silence",
        "",
        "messages.nothing_seen",
        "evidence.a_host_that_is_not_answered_is_named",
    ),
}
# What has no such case, and why.
NOT_THERE = {
    ("RL114", "too_little"): "judged on every run",
    ("RL301", "too_little"): "judged on every run",
    ("RL901", "too_little"): "judged on every run",
    ("RL902", "too_little"): "judged on every run",
    ("RL903", "too_little"): "judged on every run",
    ("RL123", "remedy"): "a client that hands the error on is not one that can be simulated yet",
    ("RL301", "remedy"): "the remedies of what refused the calls",
    ("RL901", "remedy"): "more of the same run",
}


def names_in(file: str) -> set[str]:
    """The names of the tests in a file."""
    tree = ast.parse((TESTS / f"test_{file}.py").read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


def test_every_code_has_a_row() -> None:
    """No code is there that the table does not know, and each is judged, and tripped somewhere."""
    assert list(TABLE) == list(CODES) == list(CHECKED)
    assert list(TRIPS) == list(CODES)


@pytest.mark.parametrize("code", TABLE)
def test_what_the_table_names_is_there(code: str) -> None:
    """Each entry is a test, or stands among those that are left out for a reason."""
    for column, entry in TABLE[code]._asdict().items():
        if not entry:
            assert NOT_THERE[code, column]
            continue
        file, _, name = entry.partition(".")
        assert f"test_{name}" in names_in(file), (column, entry)


@pytest.mark.parametrize("code", TABLE)
def test_the_tests_of_messages_pin_them(code: str) -> None:
    """The file that holds the message has its first and its last line, word for word."""
    file = TABLE[code].message.partition(".")[0]
    text = (TESTS / f"test_{file}.py").read_text(encoding="utf-8")
    assert f"{code} {CODES[code].name}: " in text
    if CODES[code].accept is None:
        assert f'ignore={{"{code}": "reason"}}' in text
