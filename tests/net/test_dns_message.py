"""DNS messages: what is no response, and what a response says."""

import contextlib

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from dns.rdata import GenericRdata
from hypothesis import given
from hypothesis import strategies as st

from prober.net.dns_message import (
    MalformedError,
    Query,
    Response,
    TooLargeError,
    read_response,
)

ID = 0x1234
QUERY = Query.of("mx.example.test", "A")
QUESTION = QUERY.to_wire(ID)[12:-11]  # between the header and the OPT record
ALIAS = "mx.example.test. 60 IN CNAME {}."
ADDRESS = "{} 60 IN A 192.0.2.1"
SOA = "example.test. 60 IN SOA ns.example.test. host.example.test. 1 2 3 4 5"
NS = "example.test. 60 IN NS ns.example.test."


def message(
    *answer: str, authority: tuple[str, ...] = (), query: Query = QUERY
) -> dns.message.QueryMessage:
    """A response of dnspython's to *query*, with these records, one a line of a zone file."""
    asked = dns.message.from_wire(query.to_wire(ID))
    response = dns.message.make_response(asked, recursion_available=True)
    assert isinstance(response, dns.message.QueryMessage)
    response.answer = [rrset(line) for line in answer]
    response.authority = [rrset(line) for line in authority]
    return response


def rrset(line: str) -> dns.rrset.RRset:
    owner, ttl, rdclass, rdtype, text = line.split(maxsplit=4)
    return dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, text)


def read(response: dns.message.Message, query: Query = QUERY) -> Response:
    return read_response(response.to_wire(), query, ID)


def texts(response: Response) -> list[str]:
    return [record.to_text() for record in response.records]


class TestQuery:
    def test_it_is_what_dnspython_would_ask(self) -> None:
        """RFC 6891 §6.1: EDNS 0 with 1232 octets and DO; RFC 6840 §5.7: AD."""
        asked = dns.message.from_wire(QUERY.to_wire(ID))
        ours = dns.message.make_query("mx.example.test", "A", use_edns=0, payload=1232)
        ours.want_dnssec()
        ours.id = ID
        ours.flags = dns.flags.RD | dns.flags.AD
        assert asked.to_wire() == ours.to_wire()

    def test_with_checking_disabled(self) -> None:
        query = Query.of("mx.example.test", "A", checking_disabled=True)
        asked = dns.message.from_wire(query.to_wire(ID))
        assert asked.flags == dns.flags.RD | dns.flags.AD | dns.flags.CD

    @pytest.mark.parametrize("name", ["a..test", f"{'a' * 64}.test", "a." * 128])
    def test_what_is_no_name(self, name: str) -> None:
        with pytest.raises(dns.exception.DNSException):
            Query.of(name, "A")

    def test_odd_octets_are_escaped(self) -> None:
        assert b"\4a.b\0\4test\0" in Query.of(r"a\.b\000.test", "A").to_wire(ID)


class TestWhatIsNoResponse:
    """RFC 5452 §9.1: what does not match what was asked is not looked at."""

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"id": ID ^ 1}, id="another-id"),
            pytest.param({"flags": dns.flags.RD}, id="a-query"),
            pytest.param({"flags": dns.flags.QR | 0x2000}, id="another-opcode"),
        ],
    )
    def test_by_its_header(self, change: dict[str, int]) -> None:
        wire = bytearray(message(ADDRESS.format("mx.example.test.")).to_wire())
        for field, value in change.items():
            at = {"id": 0, "flags": 2}[field]
            wire[at : at + 2] = value.to_bytes(2)
        with pytest.raises(MalformedError):
            read_response(bytes(wire), QUERY, ID)

    @pytest.mark.parametrize(
        ("name", "rdtype"), [("mx.example.test", "AAAA"), ("my.example.test", "A"), (".", "A")]
    )
    def test_by_its_question(self, name: str, rdtype: str) -> None:
        with pytest.raises(MalformedError, match="another question"):
            read(message(query=Query.of(name, rdtype)))

    def test_another_class(self) -> None:
        wire = bytearray(message().to_wire())
        wire[12 + len(QUESTION) - 1] = 3  # CHAOS
        with pytest.raises(MalformedError, match="another question"):
            read_response(bytes(wire), QUERY, ID)

    @pytest.mark.parametrize("questions", [0, 2])
    def test_other_than_one_question(self, questions: int) -> None:
        response = message()
        response.question *= questions
        with pytest.raises(MalformedError):
            read(response)

    def test_an_error_code_may_come_without_question(self) -> None:
        response = message()
        response.question.clear()
        response.set_rcode(dns.rcode.REFUSED)
        assert read(response).rcode == dns.rcode.REFUSED

    @pytest.mark.parametrize("rest", [b"\0", b"\0" * 11])
    def test_octets_behind_it(self, rest: bytes) -> None:
        with pytest.raises(MalformedError):
            read_response(message().to_wire() + rest, QUERY, ID)

    def test_any_cut(self) -> None:
        wire = message(ALIAS.format("a.test"), ADDRESS.format("a.test.")).to_wire()
        for length in range(len(wire)):
            with pytest.raises(MalformedError):
                read_response(wire[:length], QUERY, ID)

    def test_a_record_that_cannot_be_read(self) -> None:
        wire = message(ADDRESS.format("mx.example.test.")).to_wire()
        with pytest.raises(MalformedError):
            read_response(wire.replace(b"\0\4\xc0\0\2\1", b"\0\3\xc0\0\2"), QUERY, ID)

    @given(st.binary(max_size=80))
    def test_no_octets_raise_anything_else(self, junk: bytes) -> None:
        header = message().to_wire()[:4] + b"\0\1\0\2\0\1\0\1"
        for wire in (junk, header + junk, header + QUESTION + junk):
            try:
                read_response(wire, QUERY, ID)
            except MalformedError:
                pass


HEADER = b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0" + QUESTION
DATA = b"\0\1\0\1\0\0\0\0\0\4\xc0\0\2\1"


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param(bytes([0xC0, len(HEADER)]), id="a-pointer-to-itself"),
        pytest.param(bytes([0xC0, len(HEADER) + 2]), id="a-pointer-ahead"),
        pytest.param(b"\1a" + bytes([0xC0, len(HEADER)]), id="a-circle"),
        pytest.param(b"\xc0\xff", id="a-pointer-out-of-the-message"),
        pytest.param(b"\x40", id="a-label-type-of-nobody"),
        pytest.param(b"\x3faa\0", id="a-label-out-of-the-message"),
        pytest.param(b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 3 + b"\0", id="too-long"),
        pytest.param(b"\1a" * 200 + b"\0", id="too-many-labels"),
    ],
)
def test_owner_names_that_are_none(owner: bytes) -> None:
    """RFC 1035 §2.3.4, §4.1.4."""
    with pytest.raises(MalformedError):
        read_response(HEADER + owner + DATA, QUERY, ID)


class TestWhatItSays:
    def test_records(self) -> None:
        response = message(ADDRESS.format("mx.example.test."))
        response.flags |= dns.flags.AD
        found = read(response)
        assert texts(found) == ["192.0.2.1"]
        assert found.authenticated
        assert found.canonical_name is None

    def test_letter_case_makes_no_difference(self) -> None:
        """RFC 4343 §3; a response may spell the question in another way."""
        wire = message(ADDRESS.format("mx.example.test.")).to_wire()
        found = read_response(wire.replace(b"example", b"eXaMpLe"), QUERY, ID)
        assert texts(found) == ["192.0.2.1"]

    def test_each_record_once(self) -> None:
        wire = bytearray(message(ADDRESS.format("mx.example.test.")).to_wire())
        start, end = 12 + len(QUESTION), len(wire) - 11
        wire[end:end] = wire[start:end]
        wire[6:8] = b"\0\2"
        assert texts(read_response(bytes(wire), QUERY, ID)) == ["192.0.2.1"]

    def test_records_of_others_are_none(self) -> None:
        response = message(ADDRESS.format("other.test."), "mx.example.test. 60 IN TXT x")
        assert read(response).records == ()

    @pytest.mark.parametrize("reverse", [False, True])
    def test_aliases_in_whatever_order(self, reverse: bool) -> None:
        lines = [
            ALIAS.format("b.test"),
            "b.test. 60 IN CNAME c.test.",
            ADDRESS.format("c.test."),
        ]
        found = read(message(*(reversed(lines) if reverse else lines)))
        assert (texts(found), str(found.canonical_name)) == (["192.0.2.1"], "c.test.")

    @pytest.mark.parametrize(
        "lines",
        [
            (ALIAS.format("mx.example.test"),),
            (ALIAS.format("b.test"), "b.test. 60 IN CNAME mx.example.test."),
            (
                ALIAS.format("a0.test"),
                *(f"a{n}.test. 60 IN CNAME a{n + 1}.test." for n in range(16)),
            ),
        ],
        ids=["itself", "in-a-circle", "17"],
    )
    def test_aliases_that_lead_nowhere(self, lines: tuple[str, ...]) -> None:
        with pytest.raises(MalformedError, match="too many aliases"):
            read(message(*lines))

    def test_an_alias_itself_when_asked_for_it(self) -> None:
        query = Query.of("mx.example.test", "CNAME")
        found = read(message(ALIAS.format("b.test"), query=query), query)
        assert (texts(found), found.canonical_name) == (["b.test."], None)

    def test_an_alias_to_nothing(self) -> None:
        found = read(message(ALIAS.format("gone.test")))
        assert (found.records, str(found.canonical_name)) == ((), "gone.test.")

    @pytest.mark.parametrize(
        ("authority", "is_referral"),
        [((), False), ((SOA,), False), ((NS,), True), ((NS, SOA), False)],
    )
    def test_referrals(self, authority: tuple[str, ...], is_referral: bool) -> None:
        """RFC 2308 §2.2."""
        assert read(message(authority=authority)).is_referral is is_referral

    @pytest.mark.parametrize("rcode", [*range(11), 16, 23, 0xF00])
    def test_error_codes_extended_ones_too(self, rcode: int) -> None:
        """RFC 6891 §6.1.3: BADVERS has 0 in the header, and is no empty answer."""
        response = message()
        response.set_rcode(dns.rcode.Rcode.make(rcode))
        assert read(response).rcode == rcode

    def test_of_what_is_truncated_nothing_is_read(self) -> None:
        response = message()
        response.flags |= dns.flags.TC
        found = read_response(response.to_wire()[: 12 + len(QUESTION)], QUERY, ID)
        assert found.truncated


def large(query: Query, records: int, octets: int, *, message_id: int = ID) -> bytes:
    """A response to *query* with so many records of so many octets, each of another value."""
    counts = b"\x81\x80" + b"\0\1" + records.to_bytes(2) + bytes(4)
    question = query.name.to_digestable() + int(query.rdtype).to_bytes(2) + b"\0\1"
    head = b"\xc0\x0c" + int(query.rdtype).to_bytes(2) + b"\0\1" + bytes(4) + octets.to_bytes(2)
    each = (head + number.to_bytes(octets) for number in range(1, records + 1))
    return message_id.to_bytes(2) + counts + question + b"".join(each)


class TestTooLarge:
    """Parsing takes up to a second for 64 kB, in which nothing else runs."""

    @pytest.mark.parametrize("section", [4, 6, 8, 10])
    def test_by_the_number_of_records(self, section: int) -> None:
        wire = bytearray(message(ADDRESS.format("mx.example.test.")).to_wire())
        wire[section : section + 2] = (1025).to_bytes(2)
        with pytest.raises(TooLargeError):
            read_response(bytes(wire), QUERY, ID)

    def test_thousands_of_addresses(self) -> None:
        assert len(read_response(large(QUERY, 1000, 4), QUERY, ID).records) == 1000
        with pytest.raises(TooLargeError):
            read_response(large(QUERY, 4000, 4), QUERY, ID)

    def test_by_its_octets(self) -> None:
        query = Query.of("mx.example.test", "TXT")
        with pytest.raises(TooLargeError):
            read_response(large(query, 1, 16_384), query, ID)

    @pytest.mark.parametrize("rdtype", ["TLSA", "SMIMEA", "OPENPGPKEY"])
    def test_keys_and_certificates_may_be_large(self, rdtype: str) -> None:
        query = Query.of("mx.example.test", rdtype)
        assert read_response(large(query, 1, 60_000), query, ID).records

    def test_the_id_comes_first(self) -> None:
        """Whoever does not know it makes us parse nothing."""
        with pytest.raises(MalformedError):
            read_response(large(QUERY, 4000, 4, message_id=ID ^ 1), QUERY, ID)


def tlsa_rdata(rdata: bytes, *, rdtype: str = "TLSA") -> bytes:
    """A response with an alias, another record and one of *rdtype* that has *rdata*."""
    query = Query.of("mx.example.test", rdtype)
    response = message(ALIAS.format("other.example.test"), authority=(NS,), query=query)
    wire = bytearray(response.to_wire())
    wire[6:8] = (2).to_bytes(2)
    authority = wire.index(b"\0\2\0\1\0\0\0\x3c") - 2  # behind its owner, which is a pointer
    owner = dns.name.from_text("other.example.test").to_digestable()
    head = int(query.rdtype).to_bytes(2) + b"\0\1" + bytes(4) + len(rdata).to_bytes(2)
    wire[authority:authority] = owner + head + rdata
    return bytes(wire)


class TestDigests:
    """dnspython refuses a message for one of the wrong length, a sender ignores that record."""

    @pytest.mark.parametrize("rdtype", ["TLSA", "SMIMEA"])
    @pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 300])
    def test_of_any_length_are_read(self, rdtype: str, size: int) -> None:
        rdata = b"\3\1\1" + bytes(size)
        query = Query.of("mx.example.test", rdtype)
        (record,) = read_response(tlsa_rdata(rdata, rdtype=rdtype), query, ID).records
        assert isinstance(record, GenericRdata)
        assert record.data == rdata

    @pytest.mark.parametrize("rdtype", ["TLSA", "SMIMEA"])
    def test_keep_their_type_for_who_validates_the_answer(self, rdtype: str) -> None:
        """RFC 4034 §3.1.1: a signature names the type that it covers."""
        query = Query.of("mx.example.test", rdtype)
        response = read_response(tlsa_rdata(b"\3\1\1" + bytes(31), rdtype=rdtype), query, ID)
        assert {each.rdtype for each in response.answer} == {dns.rdatatype.CNAME, query.rdtype}

    @pytest.mark.parametrize("size", [0, 1, 2])
    def test_a_short_record_of_the_reserved_type_is_malformed(self, size: int) -> None:
        """RFC 6895 §3.1: 65535, by which records with digests are read."""
        tail = b"\0\1" + bytes(4)  # class, TTL
        wire = tlsa_rdata(bytes(size)).replace(b"\0\x34" + tail, b"\xff\xff" + tail)
        assert b"\xff\xff" in wire
        with pytest.raises(MalformedError):
            read_response(wire, Query.of("mx.example.test", "TLSA"), ID)

    @pytest.mark.parametrize("size", [0, 1, 2])
    def test_a_record_without_its_three_fields_is_malformed(self, size: int) -> None:
        with pytest.raises(MalformedError):
            read_response(tlsa_rdata(bytes(size)), Query.of("mx.example.test", "TLSA"), ID)

    @given(st.data())
    def test_whatever_comes_is_read_or_malformed(self, data: st.DataObject) -> None:
        wire = bytearray(tlsa_rdata(b"\3\1\1" + bytes(32)))
        for _ in range(data.draw(st.integers(1, 4))):
            wire[data.draw(st.integers(4, len(wire) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(MalformedError, TooLargeError):
            read_response(bytes(wire), Query.of("mx.example.test", "TLSA"), ID)

    def test_dnspython_is_as_it_was(self) -> None:
        """Others in the same process use it as well."""
        with pytest.raises(dns.exception.DNSException):
            rrset("mx.example.test. 60 IN TLSA 3 1 1 00")
