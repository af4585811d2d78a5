"""Models of limits: their definitions, written down without regard to speed.

A model keeps every charge and adds everything up again each time. Times are nanoseconds.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

S = 1_000_000_000


@dataclass
class Charge:
    """What was charged, when, and whether it was for an attempt that was admitted."""

    at: int
    units: int
    admitted: bool


class Model:
    """A limit by its definition; `room` is what a subclass defines."""

    horizon = 0

    def __init__(self, limit):
        self.limit = limit
        self.charges = []

    def room(self, now):
        raise NotImplementedError

    def full(self, now):
        raise NotImplementedError

    def fits(self, cost, now):
        return cost == 0 or cost <= self.room(now)

    def wait(self, cost, now):
        """The first instant from now on at which the cost fits; None if it never does."""
        return next((t for t in range(self.horizon + 1) if self.fits(cost, now + t)), None)

    def offer(self, cost, now):
        """Charge an attempt, or what a refusal costs; return the charge if it was admitted."""
        admitted = self.fits(cost, now)
        units = cost if admitted else self.rejected(cost)
        self.charges.append(Charge(now, units, admitted))
        return self.charges[-1] if admitted else None

    def rejected(self, cost):
        return round(Fraction(self.limit.charge_rejected) * cost)

    def settle(self, charge, change, now):
        charge.units += change


class Window(Model):
    """At most the capacity in any (t - window, t]."""

    def __init__(self, limit):
        super().__init__(limit)
        self.window = self.horizon = round(limit.window * S)

    def held(self, now):
        return [each for each in self.charges if each.at > now - self.window and each.units]

    def room(self, now):
        return self.limit.capacity - sum(each.units for each in self.held(now))

    def full(self, now):
        return max([0, *(each.at + self.window - now for each in self.held(now))])

    def rejected(self, cost):
        return min(super().rejected(cost), self.limit.capacity)


class Fixed(Model):
    """At most the capacity from one multiple of the window on the wall to the next."""

    def __init__(self, limit, zero=0):
        super().__init__(limit)
        self.zero = zero
        self.horizon = 3 * round(limit.window * S)

    def number(self, at):
        return (self.zero + at) // round(self.limit.window * S)

    def used(self, number, *, admitted=False):
        charges = [each for each in self.charges if self.number(each.at) == number]
        return sum(each.units for each in charges if each.admitted or not admitted)

    def capacity(self, now):
        return self.limit.capacity

    def room(self, now):
        return self.capacity(now) - self.used(self.number(now))

    def full(self, now):
        if not self.used(self.number(now)):
            return 0
        return next(t for t in range(self.horizon) if self.number(now + t) != self.number(now))


class Accelerating(Fixed):
    """At most so many times what the window before admitted, or the limit's own capacity."""

    def capacity(self, now):
        before = self.used(self.number(now) - 1, admitted=True)
        return max(self.limit.capacity, math.floor(Fraction(self.limit.growth) * before))


class Day(Fixed):
    """At most the capacity on one date of the zone's calendar; everything happens on seconds."""

    def __init__(self, limit, zero=0):
        super().__init__(limit, zero)
        self.where = ZoneInfo(limit.timezone)

    def number(self, at):
        return dt.datetime.fromtimestamp((self.zero + at) // S, self.where).date()

    def until_midnight(self, now):
        # Clocks change at whole quarters of an hour, so midnights are at them as well.
        quarter = 900 * S
        first = -(self.zero + now) % quarter or quarter
        return next(
            t
            for t in range(first, 27 * 3_600 * S, quarter)
            if self.number(now + t) != self.number(now)
        )

    def wait(self, cost, now):
        if self.fits(cost, now):
            return 0
        return self.until_midnight(now) if cost <= self.limit.capacity else None

    def full(self, now):
        return self.until_midnight(now) if self.used(self.number(now)) else 0


class Leaky(Model):
    """What is used drains at the rate; used and requested stay within the capacity."""

    def __init__(self, limit):
        super().__init__(limit)
        self.rate = Fraction(limit.amount, round(limit.per * S))
        lowest = -limit.capacity if limit.floor is None else limit.floor
        self.most = limit.capacity - lowest
        self.used, self.at = Fraction(0), 0

    def drained(self, now):
        return max(Fraction(0), self.used - (now - self.at) * self.rate)

    def room(self, now):
        return math.floor(self.limit.capacity - self.drained(now))

    def wait(self, cost, now):
        """(Used + requested - limit) x window / limit."""
        if cost > self.limit.capacity:
            return None
        over = self.drained(now) + cost - self.limit.capacity
        return max(0, math.ceil(over / self.rate)) if cost else 0

    def full(self, now):
        return math.ceil(self.drained(now) / self.rate)

    def offer(self, cost, now):
        charge = super().offer(cost, now)
        self.used, self.at = self.drained(now), now
        if charge is None:
            more = self.used + self.rejected(cost)
            self.used = min(more, max(Fraction(self.most), self.used))
        else:
            self.used += cost
        return charge

    def settle(self, charge, change, now):
        super().settle(charge, change, now)
        self.used, self.at = max(Fraction(0), self.drained(now) + change), now
