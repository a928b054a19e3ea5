"""Internal faults: an unexpected exception costs one domain, and no other.

It must not end a scan of a million domains, and ``--resume`` must not run into it again. The report
of the domain names the fault, the log has the traceback, and the run ends with status 70.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from prober.errors import ProbeError
from prober.records import DomainFacts, DomainReport
from prober.report.interface import Formatter
from prober.rules.certificate_fields import CertificateReader
from prober.rules.totals import Tally, Totals
from prober.rules.verdict import facts_of, judge_domain, report_fault
from prober.runtime import first_error

log = logging.getLogger(__name__)

_LONGEST: Final = 200  # characters of an exception's text


async def observed(
    facts: DomainFacts, observe: Callable[[str], Awaitable[DomainFacts]]
) -> DomainFacts:
    """The result of *observe* for the domain, or *facts* with the fault as their error.

    *facts* without a domain are returned unchanged.
    """
    if facts.domain is None:
        return facts
    try:
        return await observe(facts.domain)
    except Exception as error:
        return replace(facts, error=internal_fault(error, facts.domain))


def judged(facts: DomainFacts, reader: CertificateReader) -> DomainReport:
    """The report on *facts*. If a rule raises an exception, a report that only says so."""
    try:
        return judge_domain(facts, reader)
    except Exception as error:
        return report_fault(facts, internal_fault(error, facts.domain))


def formatted(
    report: DomainReport, tally: Tally, formatters: Sequence[Formatter[DomainReport, Totals]]
) -> tuple[DomainReport, list[bytes]]:
    """*report* with its standing, and its rows in each format; if that fails, of the fault."""
    try:
        return _formatted(report, tally, formatters)
    except Exception as error:
        fault = internal_fault(error, report.domain)
        return _formatted(report_fault(facts_of(report), fault), tally, formatters)


def _formatted(
    report: DomainReport, tally: Tally, formatters: Sequence[Formatter[DomainReport, Totals]]
) -> tuple[DomainReport, list[bytes]]:
    assessed = tally.assess(report)
    return assessed, [each.body(assessed) for each in formatters]


def internal_fault(error: Exception, where: object) -> str:
    """The text for *error*; its traceback goes to the log. Raises it if it is a ProbeError."""
    if isinstance(error, ExceptionGroup):
        error = first_error(error)
    if isinstance(error, ProbeError):
        raise error
    log.error("%r: a fault of this program", where, exc_info=error)
    return f"internal fault: {error!r}"[:_LONGEST]
