"""What a virtual clock raises and warns about."""


class VirtualTimeError(RuntimeError):
    """The virtual clock cannot do what it was asked to do."""


class VirtualTimeWarning(UserWarning):
    """The code under test left virtual time, or the clock could not follow it exactly."""


class RunStopped(BaseException):
    """The run under the virtual clock was stopped from outside the code under test.

    It is no ``Exception``, because a retry loop around ``except Exception`` must not swallow it.
    """


class VirtualDeadlock(RunStopped):
    """Every thread waits, and nothing is scheduled that could wake one of them."""


class VirtualTimeLimit(RunStopped):
    """The run would have passed the limit of virtual time."""
