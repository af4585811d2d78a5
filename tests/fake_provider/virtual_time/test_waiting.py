"""The waiting room: tables that need neither threads nor a clock."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider.virtual_time import _participants as states
from fake_provider.virtual_time._participants import Participant
from fake_provider.virtual_time._waiting import WaitingRoom

KEYS = ["a", "b"]


def blocked(room, name, *, key=None, deadline_ns=None, first=False):
    """A participant that waits in a room."""
    one = Participant(0, name, None)
    one.state, one.key = states.BLOCKED, key
    if key is not None:
        room.add_waiter(one, key, first=first)
    if deadline_ns is not None:
        room.add_timer(one, deadline_ns)
    return one


def picked(room):
    """The names of all that are ready, in the order in which they would run."""
    names = []
    while room.ready:
        one = room.next_ready()
        names.append(one.name)
        room.forget(one)
    return names


def test_waiters_are_woken_in_order():
    """A key wakes its first waiters; one that waits ``first`` comes before the others."""
    room = WaitingRoom()
    for name in ("one", "two", "three"):
        blocked(room, name, key="a")
    blocked(room, "zero", key="a", first=True)
    room.wake("b", 1)
    assert picked(room) == []
    room.wake("a", 2)
    assert picked(room) == ["zero", "one"]
    room.wake("a", 9)
    assert picked(room) == ["two", "three"]
    assert room.waiters == {}


def test_equal_deadlines_run_out_in_order_of_arrival():
    """Deadlines come first, arrival breaks ties."""
    room = WaitingRoom()
    for name, deadline_ns in (("late", 9), ("first", 5), ("second", 5)):
        blocked(room, name, deadline_ns=deadline_ns)
    assert room.next_deadline_ns() == 5
    room.run_out(9)
    assert picked(room) == ["first", "second", "late"]
    assert room.next_deadline_ns() is None


def test_a_woken_participant_has_no_timer_left():
    """Who is woken by a key is not woken again by the deadline, and the other way round."""
    room = WaitingRoom()
    one = blocked(room, "one", key="a", deadline_ns=5)
    room.wake("a", 1)
    assert (picked(room), one.outcome) == (["one"], states.WOKEN)
    assert room.next_deadline_ns() is None
    two = blocked(room, "two", key="a", deadline_ns=7)
    room.run_out(7)
    assert (picked(room), two.outcome) == (["two"], states.TIMEOUT)
    room.wake("a", 1)
    assert picked(room) == []


def test_forget_takes_out_of_every_table():
    """Who withdraws waits for nothing any more: no key, no deadline, no descriptor, no turn."""
    room = WaitingRoom()
    one = blocked(room, "one", key="a", deadline_ns=5)
    room.add_descriptors(one, [(0, 1)])
    room.forget(one)
    assert (room.waiters, room.on_descriptors, room.next_deadline_ns()) == ({}, {}, None)
    two = Participant(1, "two", None)
    room.add_ready(two)
    room.forget(two)
    assert not room.ready


def test_tidy_mends_a_room_in_disorder():
    """Who is in the ready queue twice, or still waits, is ready once and waits for nothing."""
    room = WaitingRoom()
    one = blocked(room, "one", key="a", deadline_ns=5)
    room.add_descriptors(one, [(0, 1)])
    room.ready.extend([one, one])
    room.tidy()
    assert one.state is states.READY
    assert (room.waiters, room.on_descriptors, room.next_deadline_ns()) == ({}, {}, None)
    assert picked(room) == ["one"]


def test_a_random_room_is_repeatable():
    """The same seed draws the same order; another draws another."""

    def order(seed):
        room = WaitingRoom(random.Random(seed))
        for number in range(20):
            room.add_ready(Participant(number, str(number), None))
        return picked(room)

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == sorted(order(2))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from(KEYS), st.integers(1, 9) | st.none()),
        st.tuples(st.just("wake"), st.sampled_from(KEYS), st.integers(1, 3)),
        st.tuples(st.just("time"), st.just("a"), st.integers(1, 9)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(steps)
def test_the_room_agrees_with_a_list(program):
    """Against a model that scans one list for everything, the same ones become ready in order."""
    room, now_ns = WaitingRoom(), 0
    model, expected = [], []  # waiting: [name, key, deadline]; names that became ready
    for number, (step, key, value) in enumerate(program):
        name = str(number)
        if step == "wait":
            deadline_ns = None if value is None else now_ns + value
            blocked(room, name, key=key, deadline_ns=deadline_ns)
            model.append((name, key, deadline_ns))
            continue
        if step == "wake":
            room.wake(key, value)
            gone = [one for one in model if one[1] == key][:value]
        else:
            now_ns += value
            room.run_out(now_ns)
            gone = [one for one in model if one[2] is not None and one[2] <= now_ns]
            gone.sort(key=lambda one: one[2])
        model = [one for one in model if one not in gone]
        expected += [one[0] for one in gone]
    assert picked(room) == expected
    deadlines = [one[2] for one in model if one[2] is not None]
    assert room.next_deadline_ns() == min(deadlines, default=None)
