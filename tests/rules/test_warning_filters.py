"""Warning filters belong to the process: threads that read certificates leave none behind."""

import threading
import warnings

import pytest
from cryptography import x509

from prober.rules import certificate_fields, dane_path
from tests.rules.certificates import issue

_OVERLAP_S = 0.5  # how long each thread waits for the other to come in between
READINGS = [
    pytest.param(dane_path._parse, dane_path._parse, id="dane-twice"),
    pytest.param(dane_path._parse, certificate_fields.read_certificate, id="dane-beside-fields"),
    pytest.param(certificate_fields.read_certificate, dane_path._parse, id="fields-beside-dane"),
]


@pytest.mark.parametrize(("first", "second"), READINGS)
def test_two_threads_leave_the_filters_as_they_were(
    monkeypatch: pytest.MonkeyPatch, first: object, second: object
) -> None:
    """Without a lock the first one leaves before the second, which then restores the wrong ones."""
    der = issue("mx.example.com").der
    load = x509.load_der_x509_certificate
    second_is_in, first_is_out = threading.Event(), threading.Event()

    def meet(data: bytes) -> x509.Certificate:
        if threading.current_thread().name == "first":
            begin_second.set()
            second_is_in.wait(_OVERLAP_S)
        else:
            second_is_in.set()
            first_is_out.wait(_OVERLAP_S)
        return load(data)

    def read_first() -> None:
        assert callable(first)
        first(der)
        first_is_out.set()

    def read_second() -> None:
        assert callable(second)
        begin_second.wait()
        second(der)

    begin_second = threading.Event()
    monkeypatch.setattr(x509, "load_der_x509_certificate", meet)
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=read_first, name="first"),
        threading.Thread(target=read_second, name="second"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(warnings.filters) == before
