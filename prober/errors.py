"""Errors that end a run, each with its exit status. A peer's fault is never an exception."""


class ProbeError(Exception):
    """An error that ends the run. The message says what, where and what to do."""

    exit_status = 2


class InputError(ProbeError):
    """The input is not a domain, or a list that cannot be read."""


class SettingsError(ProbeError):
    """An option has a value that cannot work."""


class ResumeError(ProbeError):
    """A run cannot continue where an earlier one stopped."""


class BlindError(ProbeError):
    """This machine cannot probe: its results would only show its own faults."""

    exit_status = 4


def blind(why: str) -> BlindError:
    """The error for a run that cannot probe because of *why*."""
    return BlindError(f"this machine cannot probe, so the run ends here: {why}; run `probe doctor`")


class ReportError(ProbeError):
    """A report could not be written."""

    exit_status = 5
