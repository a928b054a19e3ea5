"""Files of saved results: what no run can have seen is refused; all else can be judged again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from prober.errors import InputError
from prober.records import (
    Anomaly,
    AnomalyKind,
    DeepAnswer,
    DeepQuestion,
    DomainReport,
    Endpoint,
    ProfileName,
    WithoutSni,
)
from prober.report.json_ import decode_report, encode_report
from prober.results import ResultsFile, require_possible
from prober.rules.mx import ROUTE_ANOMALIES
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess
from prober.rules.verdict import facts_of, judge_domain
from tests.report import samples
from tests.report.strategies import reports
from tests.support.builders import deep


def in_the_chain(seen: Endpoint) -> Endpoint:
    """*seen* without positions outside its chains."""
    plain = seen.without_sni
    if plain is not None and plain.chain is not None:
        path = tuple(each for each in plain.path if 0 <= each < len(plain.chain))
        plain = replace(plain, path=path)
    more = seen.deep
    if more is not None:
        more = replace(more, answers=tuple(map(_possible_answer, more.answers)))
    path = tuple(each for each in seen.path if 0 <= each < len(seen.chain))
    return replace(seen, path=path, without_sni=plain, deep=more)


def _possible_answer(answer: DeepAnswer) -> DeepAnswer:
    path = tuple(each for each in answer.path if 0 <= each < len(answer.chain))
    return replace(answer, path=path)


def possible(report: DomainReport) -> DomainReport:
    report = replace(report, endpoints=tuple(map(in_the_chain, report.endpoints)))
    if report.route is None:
        return report
    kept = tuple(each for each in report.route.anomalies if each.kind in ROUTE_ANOMALIES)
    return replace(report, route=replace(report.route, anomalies=kept))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(reports())
def test_any_record_can_be_judged_again_and_then_stays_as_it_is(report: DomainReport) -> None:
    report = possible(decode_report(encode_report(report)))
    require_possible(report, "it")
    profile = PROFILES[ProfileName.HIPAA]

    judged = assess(judge_domain(facts_of(report)), profile)
    read = decode_report(encode_report(judged))
    assert read == judged
    assert assess(judge_domain(facts_of(read)), profile) == judged


def endpoint(**changes: Any) -> DomainReport:
    return samples.make_report(
        endpoints=(samples.make_endpoint(), samples.make_endpoint(**changes))
    )


def anomaly(kind: AnomalyKind) -> DomainReport:
    report = samples.make_report()
    assert report.route is not None
    return replace(report, route=replace(report.route, anomalies=(Anomaly(kind=kind),)))


@pytest.mark.parametrize(
    ("report", "where"),
    [
        (endpoint(path=(0, 2)), "a position outside the chain - at `$.endpoints[1].path`"),
        (endpoint(path=(-1,)), "a position outside the chain - at `$.endpoints[1].path`"),
        (endpoint(chain=(), path=(0,)), "a position outside the chain - at `$.endpoints[1].path`"),
        (
            endpoint(without_sni=WithoutSni(observed_at=samples.NOW, chain=(b"0",), path=(1,))),
            "a position outside the chain - at `$.endpoints[1].without_sni.path`",
        ),
        (
            endpoint(deep=deep(DeepQuestion.RSA_CERTIFICATE, chain=(b"0",), path=(1,))),
            "a position outside the chain - at `$.endpoints[1].deep.answers[0].path`",
        ),
        (anomaly(AnomalyKind.BARE_LF), "bare-lf is not of DNS - at `$.route.anomalies[0].kind`"),
    ],
)
def test_what_no_run_can_have_seen_is_refused(
    tmp_path: Path, report: DomainReport, where: str
) -> None:
    file = tmp_path / "r.jsonl"
    file.write_bytes(encode_report(samples.make_report()) + b"\n" + encode_report(report))

    with ResultsFile.open(str(file)) as results, pytest.raises(InputError) as caught:
        list(results.reports())
    assert str(caught.value) == f"{file}: record 2: not a report: {where}"
