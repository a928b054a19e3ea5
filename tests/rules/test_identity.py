"""RFC 9525 name matching and the reading of subjectAltName, RFC 5280 §4.2.1.6."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import assume, example, given
from hypothesis import strategies as st
from service_identity import CertificateError
from service_identity.hazmat import DNS_ID, DNSPattern

from prober.records import Answer
from prober.rules import identity
from prober.rules.certificate_fields import read_certificate
from prober.rules.der import MAX_ELEMENTS, read_outline, split
from prober.rules.identity import SanNames, acceptance, dispute, matches, name_fault
from tests.rules.certificates import (
    HOST,
    SAN_OID,
    dns,
    extension,
    forge,
    issue,
    read_san,
    san_extension,
    tlv,
)

LONG_LABEL = "a" * 64
LONG_NAME = ".".join(["abcdefg"] * 32)  # 255 characters


@pytest.mark.parametrize(
    ("pattern", "reference"),
    [
        pytest.param("example.com", "mx.example.com", id="6.3-parent"),
        pytest.param("mx.example.com", "example.com", id="6.3-child"),
        pytest.param("mx.example.com", "mx.example.com.evil.test", id="6.3-prefix"),
        pytest.param("example.com", "notexample.com", id="6.3-suffix"),
        pytest.param("mx.example.com.", "mx.example.com", id="5280-4.2.1.6-trailing-dot"),
        pytest.param("mx.example.com", "mx.example.com.", id="reference-with-trailing-dot"),
        pytest.param("mx.example.com.", "mx.example.com.", id="both-with-trailing-dot"),
        pytest.param("*.example.com.", "mx.example.com", id="wildcard-and-trailing-dot"),
        pytest.param(".example.com", "mx.example.com", id="leading-dot"),
        pytest.param("mx..example.com", "mx..example.com", id="empty-label"),
        pytest.param("", "", id="empty"),
        pytest.param(".", ".", id="root"),
        pytest.param("*", "localhost", id="6.3-wildcard-alone"),
        pytest.param("*", "mx.example.com", id="6.3-wildcard-alone-many-labels"),
        pytest.param("*.", "com.", id="wildcard-and-root"),
        pytest.param("*.com", "example.com", id="7.1-wildcard-over-one-label"),
        pytest.param("*.example.com", "example.com", id="6.3-wildcard-for-no-label"),
        pytest.param("*.example.com", ".example.com", id="6.3-wildcard-for-empty-label"),
        pytest.param("*.example.com", "a.mx.example.com", id="6.3-wildcard-for-two-labels"),
        pytest.param("*.example.com", "mx.example.org", id="6.3-wildcard-elsewhere"),
        pytest.param("*.example.com", "*.example.com", id="6.3-wildcard-in-the-reference"),
        pytest.param("f*.example.com", "foo.example.com", id="6.3-partial-wildcard-at-the-end"),
        pytest.param("*o.example.com", "foo.example.com", id="6.3-partial-wildcard-at-the-start"),
        pytest.param("f*o.example.com", "foo.example.com", id="6.3-partial-wildcard-inside"),
        pytest.param("xn--*.example.com", "xn--a.example.com", id="6.3-partial-wildcard-a-label"),
        pytest.param("mx.*.example.com", "mx.a.example.com", id="6.3-wildcard-not-left-most"),
        pytest.param("*.*.example.com", "mx.a.example.com", id="6.3-two-wildcards"),
        pytest.param("**.example.com", "mx.example.com", id="6.3-double-wildcard"),
        pytest.param("192.0.2.1", "192.0.2.1", id="6.4-ipv4-in-a-dns-name"),
        pytest.param("*.0.2.1", "192.0.2.1", id="6.4-wildcard-over-ipv4"),
        pytest.param("127.1", "127.1", id="1123-2.1-short-ipv4"),
        pytest.param("2130706433", "2130706433", id="1123-2.1-ipv4-as-a-number"),
        pytest.param("2001:db8::1", "2001:db8::1", id="6.4-ipv6-in-a-dns-name"),
        pytest.param("mx.example.com\0.evil.test", "mx.example.com", id="nul"),
        pytest.param("mx.example.com\n", "mx.example.com", id="line-feed"),
        pytest.param(" mx.example.com", "mx.example.com", id="space"),
        pytest.param("mail\u212a.example.com", "mailk.example.com", id="kelvin-sign-folds-to-k"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="6.3-u-label"),
        pytest.param("bücher.example", "bücher.example", id="6.3-u-label-on-both-sides"),
        pytest.param("mx.example.com", "http://mx.example.com", id="url"),
        pytest.param(f"{LONG_LABEL}.example", f"{LONG_LABEL}.example", id="label-of-64"),
        pytest.param(LONG_NAME, LONG_NAME, id="name-of-255"),
    ],
)
def test_does_not_match(pattern: str, reference: str) -> None:
    assert not matches(pattern, reference)


@pytest.mark.parametrize(
    ("pattern", "reference"),
    [
        pytest.param("mx.example.com", "mx.example.com", id="6.3-same"),
        pytest.param("MX.Example.COM", "mx.example.com", id="6.3-case"),
        pytest.param("localhost", "localhost", id="one-label"),
        pytest.param("_mx.example.com", "_mx.example.com", id="underscore"),
        pytest.param("*.example.com", "mx.example.com", id="6.3-wildcard"),
        pytest.param("*.EXAMPLE.com", "mx.example.com", id="6.3-wildcard-case"),
        pytest.param("*.example.com", "xn--bcher-kva.example.com", id="6.3-wildcard-a-label"),
        pytest.param("*.xn--bcher-kva.example", "mx.xn--bcher-kva.example", id="6.3-under-a-label"),
        pytest.param("*.co.uk", "example.co.uk", id="7.1-public-suffix-is-out-of-scope"),
        pytest.param("1.example", "1.example", id="digits-but-not-last"),
        pytest.param(LONG_NAME[2:], LONG_NAME[2:], id="name-of-253"),
    ],
)
def test_matches(pattern: str, reference: str) -> None:
    assert matches(pattern, reference)


@pytest.mark.parametrize(
    ("presented", "reference", "answer"),
    [
        pytest.param("*.example.com", "mx.example.org", Answer.NO, id="elsewhere"),
        pytest.param("*.example.com", "a.mx_1.example.com", Answer.NO, id="two-labels"),
        pytest.param("*", "mx", Answer.NO, id="wildcard-alone"),
        pytest.param("mx.*.example.com", "mx.a.example.com", Answer.NO, id="not-left-most"),
        pytest.param("f*.example.com", "mx.example.com", Answer.NO, id="part-that-does-not-fit"),
        pytest.param("xn--*.example.com", "xn--bcher-kva.example.com", Answer.NO, id="a-label"),
        pytest.param("*.example.com.", "mx_1.example.com", Answer.NO, id="trailing-dot"),
        pytest.param("mx.example.com\0.evil.test", "mx.example.com", Answer.NO, id="nul"),
        # OpenSSL lets a wildcard stand before letters, digits and inner hyphens only
        pytest.param("*.example.com", "mx_1.example.com", Answer.NOT_TESTED, id="underscore"),
        pytest.param("*.EXAMPLE.com", "mx_1.example.com", Answer.NOT_TESTED, id="upper-case"),
        pytest.param("*.e_x.example", "mx.e_x.example", Answer.NOT_TESTED, id="underscore-above"),
        pytest.param("*.-e.example", "mx.-e.example", Answer.NOT_TESTED, id="hyphen-first"),
        pytest.param("*.e-.example", "mx.e-.example", Answer.NOT_TESTED, id="hyphen-last"),
        # RFC 9525 §6.3 forbids it; OpenSSL and GnuTLS take it by default, and Postfix does not
        pytest.param("f*.example.com", "foo.example.com", Answer.NOT_TESTED, id="part-at-the-end"),
        pytest.param(
            "*o.example.com", "foo.example.com", Answer.NOT_TESTED, id="part-at-the-start"
        ),
        # RFC 9525 §7.1 leaves it open; Go takes it
        pytest.param("*.example", "mx.example", Answer.NOT_TESTED, id="over-one-label"),
        pytest.param("mx_1.example.com", "mx_1.example.com", Answer.YES, id="underscore-in-full"),
        pytest.param("*.co.uk", "mx.co.uk", Answer.YES, id="public-suffix"),
        pytest.param("*.example.com", "xn--bcher-kva.example.com", Answer.YES, id="for-a-label"),
        pytest.param("*.example.com", "1-2.example.com", Answer.YES, id="digits-and-hyphen"),
        pytest.param("MX.example.com", "mx.example.com", Answer.YES, id="case"),
    ],
)
def test_a_name_on_which_sender_libraries_differ_is_not_tested(
    presented: str, reference: str, answer: Answer
) -> None:
    assert acceptance(presented, reference) is answer


LABELS = st.sampled_from(
    ["a", "b", "mx", "MX", "xn--a", "_x", "-", "1", "*", "a*", "*a", "**", "", " ", "é", LONG_LABEL]
)
NAMES = st.one_of(st.text(max_size=12), st.lists(LABELS, max_size=4).map(".".join))


@given(NAMES, NAMES)
def test_no_text_makes_the_matcher_raise(pattern: str, reference: str) -> None:
    assert matches(pattern, reference) in (True, False)
    if dispute(pattern, reference) is not None:
        assert acceptance(pattern, reference) is Answer.NOT_TESTED
    else:
        assert (acceptance(pattern, reference) is Answer.YES) is matches(pattern, reference)


@given(NAMES)
def test_a_name_with_a_fault_matches_nothing_and_any_other_matches_something(name: str) -> None:
    reference = name.lower().replace("*", "any")

    assert matches(name, reference) is (name_fault(name) is None)


@given(NAMES, st.lists(LABELS, min_size=2, max_size=4).map(".".join))
@example("*.example.com", "xn--a.example.com")
@example(" mx.example", "mx.example")
@example("a..b", "a..b")
@example("a.1", "a.1")
def test_agrees_with_service_identity(pattern: str, reference: str) -> None:
    reference = reference.lower()
    try:
        referee = DNS_ID(reference).verify(DNSPattern.from_bytes(pattern.encode()))
    except (CertificateError, ValueError, UnicodeError):  # no name to it: then none to us
        assert not matches(pattern, reference)
        return
    # It follows RFC 6125 §6.4.3 and lets no wildcard match an A-label; RFC 9525 §6.3 does.
    assume(not ("*" in pattern and reference.startswith("xn--")))
    # What it takes for a name, and RFC 5280 §4.2.1.6 does not: blanks at the ends, which it
    # strips, empty or overlong labels, and a number as the top label.
    assume(name_fault(pattern) is None and name_fault(reference) is None)

    assert matches(pattern, reference) is referee


GOOD = b"mx.example.com"


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        pytest.param(b"", "'' is empty", id="empty"),
        pytest.param(b"b\xfccher.example", r"'b\xfccher.example' is not ASCII", id="latin-1"),
        pytest.param(
            "bücher.example".encode(), r"'b\xc3\xbccher.example' is not ASCII", id="utf-8"
        ),
        pytest.param(
            b"mx.example.com\0.evil", r"'mx.example.com\x00.evil' is not a host name", id="nul"
        ),
        pytest.param(b"192.0.2.1", "'192.0.2.1' is an IP address", id="ipv4"),
        pytest.param(b"2001:db8::1", "'2001:db8::1' is not a host name", id="ipv6"),
        pytest.param(b"mx.example.com.", "'mx.example.com.' has an empty label", id="trailing-dot"),
        pytest.param(
            b"f*.example.com",
            "'f*.example.com' has a wildcard that is not its whole left-most label",
            id="partial-wildcard",
        ),
        pytest.param(
            b"*.com", "'*.com' has a wildcard over fewer than two labels", id="wildcard-over-one"
        ),
        pytest.param(b"a@example.com", "'a@example.com' is not a host name", id="mail-address"),
        pytest.param(
            b"x" * 300, f"'{'x' * 80}...' is longer than 253 characters", id="longer-than-a-name"
        ),
    ],
)
def test_a_malformed_entry_is_reported_and_hides_no_good_one(entry: bytes, fault: str) -> None:
    assert read_san(forge(san_extension(GOOD, entry, b"*.example.net"))) == SanNames(
        names=(HOST, "*.example.net"), malformed=(fault,), refused=(entry.decode("latin-1"),)
    )


MANY = [b"a%d.example.com" % number for number in range(MAX_ELEMENTS)]


def test_the_names_that_the_largest_certificates_have_are_read() -> None:
    san = read_san(forge(san_extension(*MANY)))
    assert san is not None
    assert [name.encode() for name in san.names] == MANY


@pytest.mark.parametrize(
    "extensions",
    [
        pytest.param([[*MANY, GOOD]], id="one-more"),
        pytest.param([MANY * 20], id="100,000"),
        pytest.param([[b""] * 100_000], id="100,000-empty"),
        pytest.param([MANY[1:]] * 10, id="in-ten-extensions"),
    ],
)
def test_with_too_many_names_the_result_is_unknown(extensions: list[list[bytes]]) -> None:
    certificate = forge(*(san_extension(*names) for names in extensions))
    assert read_san(certificate) is None


def test_other_names_need_only_a_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain may have 160 endpoints whose certificates have 5,000 names each."""
    looked_at: list[str] = []
    monkeypatch.setattr(identity, "name_fault", looked_at.append)
    names = [*(name.decode() for name in MANY), *(f"*.{name.decode()}" for name in MANY)]

    assert {acceptance(name, "mx.example.org") for name in names} == {Answer.NO}
    assert not any(matches(name, "mx.example.org") for name in names)
    assert looked_at == []


@pytest.mark.parametrize(
    "oid", ["551d11", "551d13", "551d0f", "551d20", "551d1e", "2b06010505070101"]
)
def test_depth_makes_no_reader_raise(oid: str) -> None:
    """20,000 nested sequences."""
    nested = b""
    for _ in range(20_000):
        nested = tlv(0x30, nested)
    certificate = forge(extension(tlv(0x06, bytes.fromhex(oid)), nested))
    read = read_certificate(certificate)
    assert read.spki_sha256 is not None


BASIC_CONSTRAINTS = bytes.fromhex("0603551d13")
UNENDING = tlv(0x30, tlv(0x82, GOOD), b"\x82\x7fmx")


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\x30\x80\0\0", None, id="indefinite-length"),
        pytest.param(b"\x3f\x81\x00\x00", None, id="long-tag"),
        pytest.param(b"\x30\x85\0\0\0\0\x01\0", None, id="length-of-five-octets"),
        pytest.param(forge(san_extension(GOOD))[:-9], None, id="cut-short"),
        pytest.param(tlv(0x30, tlv(0x30, tlv(0x02, b"\1"))), None, id="too-few-fields"),
        pytest.param(forge(extension(SAN_OID, b"")), None, id="san-without-value"),
        pytest.param(forge(extension(SAN_OID, tlv(0x04, GOOD))), None, id="san-is-no-sequence"),
        pytest.param(forge(extension(SAN_OID, b"\x30\x7f")), None, id="san-cut-short"),
        pytest.param(
            forge(extension(SAN_OID, tlv(0x30, b"\x82\x7fmx"))), None, id="first-entry-cut-short"
        ),
        pytest.param(forge(tlv(0x30, SAN_OID)), None, id="extension-without-value"),
        pytest.param(forge(tlv(0x30)), None, id="empty-extension"),
        pytest.param(forge(tlv(0x30, SAN_OID, b"\x04\x7f")), None, id="extension-cut-short"),
        pytest.param(forge(b"\x30\x7f"), None, id="extensions-cut-short"),
        pytest.param(forge(), (), id="no-extensions"),
        pytest.param(forge(extension(BASIC_CONSTRAINTS, tlv(0x30))), (), id="no-san"),
        pytest.param(forge(version=b""), (), id="version-1"),
        pytest.param(forge(san_extension()), (), id="no-names"),
        pytest.param(
            forge(extension(SAN_OID, tlv(0x30, tlv(0x87, b"\xc0\0\2\1")))), (), id="only-an-ip-id"
        ),
        pytest.param(forge(extension(SAN_OID, UNENDING)), (HOST,), id="last-entry-cut-short"),
        pytest.param(
            forge(san_extension(b"a.example"), san_extension(b"b.example")),
            ("a.example", "b.example"),
            id="5280-4.2-san-twice",
        ),
        pytest.param(
            forge(extension(SAN_OID, b""), san_extension(GOOD)), (HOST,), id="one-broken-one-good"
        ),
        pytest.param(
            forge(tlv(0x30, b"junk"), san_extension(GOOD)), (HOST,), id="broken-extension-beside"
        ),
        pytest.param(
            forge(extension(SAN_OID, dns(GOOD), critical=b"\x01\x01\x01")),
            (HOST,),
            id="ber-boolean",
        ),
        pytest.param(
            forge(extension(SAN_OID, dns(GOOD), critical=b"\x01\x01\x00")),
            (HOST,),
            id="default-encoded",
        ),
        pytest.param(
            forge(san_extension(*[b"a.example"] * 5000)), ("a.example",) * 5000, id="many-names"
        ),
    ],
)
def test_reads_what_can_be_read(certificate: bytes, names: tuple[str, ...] | None) -> None:
    san = read_san(certificate)

    assert (None if san is None else san.names) == names


@given(st.binary(max_size=64), st.integers(min_value=0), st.binary(max_size=4))
def test_no_bytes_make_the_reader_raise(junk: bytes, at: int, patch: bytes) -> None:
    good = forge(san_extension(GOOD))
    at %= len(good)
    patched = good[:at] + patch + good[at + len(patch) :]

    for certificate in (junk, patched):
        san = read_san(certificate)
        assert san is None or all(name_fault(name) is None for name in san.names)


@given(st.binary(max_size=64))
def test_a_split_loses_no_byte(junk: bytes) -> None:
    elements, rest = split(junk)

    assert b"".join(element.encoded for element in elements) + rest == junk


@given(st.lists(st.sampled_from([HOST, "*.example.net", "a.b.example"]), max_size=4))
def test_reads_as_cryptography_does_where_that_can(names: list[str]) -> None:
    certificate = issue(san=names).certificate
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)

    outline = read_outline(certificate.public_bytes(Encoding.DER))

    assert read_san(certificate.public_bytes(Encoding.DER)) == SanNames(tuple(names))
    assert extension.value.get_values_for_type(x509.DNSName) == names
    assert outline is not None
    assert outline.subject == certificate.subject.public_bytes()


def test_an_ip_address_of_wrong_length_is_reported_and_hides_no_good_name() -> None:
    """RFC 5280 §4.2.1.6: four octets, or sixteen."""
    entries = tlv(0x30, tlv(0x87, b"\x7f\0\0\1\0"), tlv(0x82, b"mx.example.com"))
    san = read_san(forge(extension(SAN_OID, entries)))
    assert san == SanNames(("mx.example.com",), ("an iPAddress of 5 bytes",))
