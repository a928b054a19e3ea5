"""Our own faults, each with its exit status. A peer's fault is a record, never an exception."""


class ProbeError(Exception):
    """Something this program cannot go on with; the message says what, where and what to do."""

    exit_status = 2


class InputError(ProbeError):
    """The input is no domain, or a list that cannot be read."""


class SettingsError(ProbeError):
    """An option has a value that cannot work."""


class ResumeError(ProbeError):
    """A run cannot go on where an earlier one stopped."""


class BlindError(ProbeError):
    """This machine cannot see: what it would report are its own troubles."""

    exit_status = 4


def blind(why: str) -> BlindError:
    """The error to end a run with that cannot see because of *why*."""
    return BlindError(f"this machine cannot probe, so the run ends here: {why}; run `probe doctor`")


class ReportError(ProbeError):
    """A report could not be written."""

    exit_status = 5
