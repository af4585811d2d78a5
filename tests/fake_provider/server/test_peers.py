"""Attempts of other processes are put into calls by name, by connection and by body."""

from __future__ import annotations

from itertools import pairwise

from fake_provider._calls import Calls
from fake_provider._lineage import Lineage
from fake_provider._peers import MOST_ATTEMPTS, Peer, RemoteCalls


class World:
    """Calls of other processes, and a short way to send an attempt and have it end."""

    def __init__(self) -> None:
        self.calls = RemoteCalls(Calls(Lineage()))

    def send(self, peer, body, *, ok=False, name=None, sdk=None, running=False):
        place, label = self.calls.place(peer, name, body, sdk)
        if not running:
            self.calls.ended(place.call, failed=not ok)
        return place, label


def test_a_retry_on_its_connection_continues_the_call():
    """The same body after a refusal, on the same connection, is the next attempt of one call."""
    world, peer = World(), Peer()
    first, label = world.send(peer, "a")
    second, again = world.send(peer, "a", ok=True)
    assert (first.call, first.attempt, first.layer) == (second.call, 1, "first")
    assert (second.attempt, second.layer, label, again) == (2, "code", "client 1", "client 1")


def test_the_sdk_s_counter_names_the_layer():
    """A retry that the SDK counts is the SDK's."""
    world, peer = World(), Peer()
    world.send(peer, "a", sdk=0)
    assert world.send(peer, "a", sdk=1)[0].layer == "sdk"


def test_the_same_body_after_a_success_is_a_new_call():
    """What was served is not retried."""
    world, peer = World(), Peer()
    first, _ = world.send(peer, "a", ok=True)
    second, _ = world.send(peer, "a", ok=True)
    assert second.call is not first.call
    assert second.call.unit != first.call.unit


def test_a_client_that_reconnects_continues_its_call():
    """A client that makes a connection for each attempt, such as curl, is still one caller."""
    world = World()
    places = []
    for _ in range(3):
        peer = Peer()
        places.append(world.send(peer, "a"))
        peer.is_closed = True
    assert [place.attempt for place, _ in places] == [1, 2, 3]
    assert {label for _, label in places} == {"client 1"}
    assert places[0][0].call.attribution == "exact"


def test_a_pool_s_other_connection_continues_the_call():
    """A connection that has been used before may carry the retry of another one's call."""
    world, one, other = World(), Peer(), Peer()
    first, _ = world.send(one, "a")
    world.send(other, "b", ok=True)
    again, label = world.send(other, "a")
    assert again.call is first.call
    assert label == "client 1"


def test_a_new_client_with_an_equal_prompt_is_no_retry():
    """A fleet whose prompts are equal starts as many calls as it has connections."""
    world = World()
    peers = [Peer() for _ in range(5)]
    first = [world.send(peer, "a")[0] for peer in peers]
    second = [world.send(peer, "a")[0] for peer in peers]
    assert len({place.call.number for place in first}) == 5
    assert [place.call for place in second] == [place.call for place in first]
    assert len({place.call.unit for place in first}) == 5


def test_two_calls_that_could_both_go_on_are_inferred():
    """Where a retry may be either of two calls, neither is evidence for statistics."""
    world, one, other, third = World(), Peer(), Peer(), Peer()
    world.send(one, "a", sdk=0)
    world.send(other, "a", sdk=0)
    again, _ = world.send(third, "a", sdk=1)
    assert (again.attempt, again.call.attribution) == (2, "inferred")


def test_a_name_is_one_caller_over_all_connections():
    """X-Caller is the caller, whatever its connections, and its calls may run side by side."""
    world = World()
    first, label = world.send(Peer(), "a", name="planner", running=True)
    world.send(Peer(), "b", name="planner", ok=True)
    world.calls.ended(first.call, failed=True)
    again, _ = world.send(Peer(), "a", name="planner")
    assert (again.call, again.attempt, label) == (first.call, 2, "planner")


def test_names_are_not_mixed_up():
    """An equal body under another name is another call."""
    world = World()
    first, _ = world.send(Peer(), "a", name="one")
    other, _ = world.send(Peer(), "a", name="two")
    assert other.call is not first.call


def test_work_that_its_caller_has_left_is_a_unit_again():
    """A re-queue by another name asks for the same unit, as a new call."""
    world = World()
    first, _ = world.send(Peer(), "a", name="one")
    world.send(Peer(), "b", name="one", ok=True)
    again, _ = world.send(Peer(), "a", name="two")
    assert again.call is not first.call
    assert again.call.unit == first.call.unit


def test_another_body_after_one_failed_attempt_is_inferred():
    """A nonce and the next question look alike: the trace says so, until a retry proves it."""
    world, peer = World(), Peer()
    first, _ = world.send(peer, "a 1")
    second, _ = world.send(peer, "a 2")
    assert [p.call.attribution for p in (first, second)] == ["inferred", "inferred"]
    world.send(peer, "a 2")
    assert [p.call.attribution for p in (first, second)] == ["inferred", "exact"]


def test_an_sdk_s_retry_of_what_still_runs_continues_it():
    """A client that timed out may retry before the server has seen it leave."""
    world, peer = World(), Peer()
    first, _ = world.send(peer, "a", sdk=0, running=True)
    assert world.send(peer, "a", sdk=1)[0].call is first.call


def test_a_call_without_an_end_is_cut():
    """A load generator that sends one body for ever does not make one call of it."""
    world, peer = World(), Peer()
    places = [world.send(peer, "a")[0] for _ in range(MOST_ATTEMPTS + 2)]
    assert [place.attempt for place in places[-3:]] == [MOST_ATTEMPTS, 1, 2]
    assert all(later.call.number >= sooner.call.number for sooner, later in pairwise(places))
