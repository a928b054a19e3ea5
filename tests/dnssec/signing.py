"""Zones signed by BIND's dnssec-signzone or by ldns-signzone, with faults put in afterwards."""

import base64
import enum
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import rsa
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS

TTL = 300
NAMESERVER = "ns."
TIMEOUT_S = 120.0  # of one run of a signer, which takes 0.05 s

DsSet = Callable[[dns.name.Name, Sequence[DNSKEY]], list[DS]]
Edit = Callable[[dns.zone.Zone], None]


class Signer(enum.StrEnum):
    """Who signs a zone."""

    BIND = "bind"
    LDNS = "ldns"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Nsec3:
    """How the names of a zone are hashed. RFC 5155 §4.1."""

    iterations: int = 0
    salt: str = "-"
    opt_out: bool = False


def sha256(name: dns.name.Name, keys: Sequence[DNSKEY]) -> list[DS]:
    """The DS set that a sound parent has."""
    return [make_ds(name, key, "SHA256") for key in keys]


def make_ds(name: dns.name.Name, key: DNSKEY, digest: str) -> DS:
    return dns.dnssec.make_ds(name, key, digest, policy=dns.dnssec.allow_all_policy)


@dataclass(frozen=True, kw_only=True)
class SignedZone:
    """One zone below ``test``, or the root or ``test`` itself. Lines are in zone-file form."""

    name: str
    lines: tuple[str, ...] = ()
    by: Signer = Signer.BIND
    algorithms: tuple[str, ...] = ("ECDSAP256SHA256",)
    nsec3: Nsec3 | None = None
    times: tuple[str, str] = ("-1d", "+30d")  # of dnssec-signzone, relative to now
    ds: DsSet = sha256
    same_tag: int = 0  # more DNSKEY records, of no use, with the tag of the first key (RSASHA256)
    edit: Edit | None = None  # after signing

    @property
    def file_name(self) -> str:
        return f"{self.name or 'root'}.zone"

    @property
    def origin(self) -> dns.name.Name:
        return dns.name.from_text(f"{self.name}.")


def sign_tree(folder: Path, zones: Sequence[SignedZone], *, nameserver: str) -> str:
    """Write the files of *zones*, of which one is the root, and give the root's DS as text."""
    keys_folder = folder / "keys"
    keys_folder.mkdir()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda zone: _make_keys(keys_folder, zone), zones))
        keys = {zone.name: each for zone, each in zip(zones, made, strict=True)}
        children = _children(zones)
        list(pool.map(lambda zone: _write(folder, zone, children, keys, nameserver), zones))
    (root,) = (zone for zone in zones if not zone.name)
    return "\n".join(f". IN DS {ds.to_text()}" for ds in sha256(root.origin, keys[""]))


def _make_keys(folder: Path, zone: SignedZone) -> list[DNSKEY]:
    if zone.by is Signer.NOBODY:
        return []
    keys = []
    for algorithm in zone.algorithms:
        size = ["-b", "2048"] if "RSA" in algorithm else []
        stem = _run(
            folder, "dnssec-keygen", "-q", "-a", algorithm, *size, "-f", "KSK", f"{zone.name}."
        ).strip()
        text = (folder / f"{stem}.key").read_text().split("DNSKEY", 1)[1]
        key = dns.rdata.from_text("IN", "DNSKEY", text.strip())
        assert isinstance(key, DNSKEY)
        keys.append(key)
    return keys


def _write(
    folder: Path,
    zone: SignedZone,
    children: dict[str, list[SignedZone]],
    keys: dict[str, list[DNSKEY]],
    nameserver: str,
) -> None:
    origin = f"{zone.name}."
    lines = [f"$ORIGIN {origin}", f"$TTL {TTL}"]
    lines.append(f"@ SOA {NAMESERVER} admin.test. 1 3600 600 86400 60")
    lines.append(f"@ NS {NAMESERVER}")
    lines += [f"ns. A {nameserver}"] if not zone.name else []
    lines += zone.lines
    for child in children[zone.name]:
        lines.append(f"{child.name}. NS {NAMESERVER}")
        lines += [
            f"{child.name}. DS {ds.to_text()}" for ds in child.ds(child.origin, keys[child.name])
        ]
    path = folder / zone.file_name
    path.write_text("\n".join(lines) + "\n")
    match zone.by:
        case Signer.BIND:
            _sign_by_bind(folder, zone)
        case Signer.LDNS:
            _sign_by_ldns(folder, zone)
        case Signer.NOBODY:
            pass
    if zone.edit is None and not zone.same_tag:
        return
    parsed = dns.zone.from_file(str(path), origin=origin, relativize=False)
    if zone.same_tag:
        _add_keys(parsed, zone, keys[zone.name][0], folder / "keys")
    if zone.edit is not None:
        zone.edit(parsed)
    path.write_text(parsed.to_text(relativize=False))


def _add_keys(parsed: dns.zone.Zone, zone: SignedZone, key: DNSKEY, folder: Path) -> None:
    """Add keys with the tag of *key*, and sign all of them by it: no signer here takes them."""
    others = [_key_of_same_tag(key, number) for number in range(zone.same_tag)]
    rrset = dns.rrset.from_rdata_list(zone.origin, TTL, [*others, key])
    signature = dns.dnssec.sign(
        rrset,
        _private_key(zone, folder),
        zone.origin,
        key,
        lifetime=1 << 30,
        inception=1_700_000_000,
    )
    node = parsed[zone.origin]
    node.replace_rdataset(rrset.to_rdataset())
    node.replace_rdataset(dns.rdataset.from_rdata(TTL, signature))


def _private_key(zone: SignedZone, folder: Path) -> rsa.RSAPrivateKey:
    """The RSA key of *zone*, in the form of dnssec-keygen."""
    (path,) = folder.glob(f"K{zone.name}.+*.private")
    fields = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
    names = ("Prime1", "Prime2", "PrivateExponent", "Exponent1", "Exponent2", "Coefficient")
    p, q, d, dmp1, dmq1, iqmp = (_number(fields[name]) for name in names)
    public = rsa.RSAPublicNumbers(_number(fields["PublicExponent"]), _number(fields["Modulus"]))
    return rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, public).private_key()


def _number(base64_text: str) -> int:
    return int.from_bytes(base64.b64decode(base64_text))


def _key_of_same_tag(key: DNSKEY, number: int) -> DNSKEY:
    """Another modulus with the same sum of octets, which is what a tag is. RFC 4034 appendix B."""
    data = bytearray(key.key)
    step = 2 * (number + 1)
    at = next(at for at in range(20, 200, 2) if data[at] >= step and data[at + 40] + step < 256)
    data[at] -= step
    data[at + 40] += step
    same = key.replace(key=bytes(data))
    assert isinstance(same, DNSKEY)
    assert dns.dnssec.key_id(same) == dns.dnssec.key_id(key)
    return same


def _children(zones: Sequence[SignedZone]) -> dict[str, list[SignedZone]]:
    """Of each zone, those that it delegates to."""
    names = {zone.origin: zone for zone in zones}
    children: dict[str, list[SignedZone]] = {zone.name: [] for zone in zones}
    for child in zones:
        above = child.origin
        while above != dns.name.root:
            above = above.parent()
            if above in names:
                children[names[above].name].append(child)
                break
    return children


def _sign_by_bind(folder: Path, zone: SignedZone) -> None:
    start, end = zone.times
    options = ["-S", "-z", "-P", "-K", "keys", "-s", start, "-e", f"now{end}"]
    if zone.nsec3 is not None:
        options += ["-3", zone.nsec3.salt, "-H", str(zone.nsec3.iterations)]
        options += ["-A"] if zone.nsec3.opt_out else []
    options += ["-o", f"{zone.name}.", "-f", zone.file_name]
    _run(folder, "dnssec-signzone", *options, zone.file_name)


def _sign_by_ldns(folder: Path, zone: SignedZone) -> None:
    options = []
    if zone.nsec3 is not None:
        options += ["-n", "-t", str(zone.nsec3.iterations)]
        options += ["-s", zone.nsec3.salt] if zone.nsec3.salt != "-" else []
        options += ["-p"] if zone.nsec3.opt_out else []
    stems = sorted(path.stem for path in (folder / "keys").glob(f"K{zone.name}.+*.private"))
    options += ["-o", f"{zone.name}.", "-f", zone.file_name, zone.file_name]
    _run(folder, "ldns-signzone", *options, *(f"keys/{stem}" for stem in stems))


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
