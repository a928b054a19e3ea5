"""The catalogue of findings: one row per finding, with everything known about it.

A row is a member of ``Code``. A rule reports a finding with ``finding(Code.…)``, and the reports,
``probe explain`` and docs/findings.md read the rest from the row. How to add a finding:
docs/contributing.md.
"""

import enum
from dataclasses import dataclass
from typing import Final, Self

from prober.records.words import Severity

_HIGH: Final = Severity.HIGH
_MEDIUM: Final = Severity.MEDIUM
_LOW: Final = Severity.LOW
_INFO: Final = Severity.INFO


class Code(enum.StrEnum):
    """Code, severity, what it means for mail, what to do about it, and the norm.

    The code is a result type of RFC 8460 §4.3 if one fits, else our own. Codes are stable; the
    wording may change. *meaning* is one sentence: the effect on mail, then the cause. *advice* is
    written for the people who run the mail servers of the domain.
    """

    severity: Severity
    meaning: str
    advice: str
    norm: str

    def __new__(cls, code: str, severity: Severity, meaning: str, advice: str, norm: str) -> Self:
        """A member whose value is *code* alone, since that is what JSON has."""
        row = str.__new__(cls, code)
        row._value_ = code
        row.severity = severity
        row.meaning = meaning
        row.advice = advice
        row.norm = norm
        return row

    # RFC 8460 §4.3
    STARTTLS_NOT_SUPPORTED = (
        "starttls-not-supported",
        _HIGH,
        "Mail to this server travels in clear text, because the server does not offer STARTTLS.",
        "Install a certificate on the server and enable STARTTLS on port 25.",
        "RFC 3207 §4, RFC 8460 §4.3.1",
    )
    CERTIFICATE_HOST_MISMATCH = (
        "certificate-host-mismatch",
        _HIGH,
        "Senders cannot verify that they reach the right server, because its certificate does not "
        "contain the name of the MX host.",
        "Install a certificate that has the name of the MX host as a subjectAltName.",
        "RFC 9525 §6.3, RFC 8460 §4.3.1",
    )
    CERTIFICATE_EXPIRED = (
        "certificate-expired",
        _HIGH,
        "Senders that check certificates hold mail back, because the certificate of this server "
        "has expired.",
        "Renew the certificate, reload the mail server, and find out why automatic renewal failed.",
        "RFC 5280 §6.1.3, RFC 8460 §4.3.1",
    )
    CERTIFICATE_NOT_TRUSTED = (
        "certificate-not-trusted",
        _HIGH,
        "Senders cannot verify this server, because no valid chain leads from its certificate to a "
        "trusted CA.",
        "If an issuer was not sent, make the server send its full chain. Otherwise use a "
        "certificate of a public CA for TLS servers, or publish this one by DANE if you control "
        "the DNS zone of the MX host.",
        "RFC 5280 §6.1, RFC 8460 §4.3.1",
    )
    DNSSEC_INVALID = (
        "dnssec-invalid",
        _HIGH,
        "Senders that validate DNSSEC cannot deliver mail, because the DNS answer fails "
        "validation.",
        "Check the DS record in the parent zone, and the keys and signatures of the zone.",
        "RFC 4035 §4.3, RFC 8460 §4.3.2.1",
    )
    TLSA_INVALID = (
        "tlsa-invalid",
        _HIGH,
        "Senders that use DANE hold mail back, because the certificate of this server matches no "
        "usable TLSA record.",
        "Publish a TLSA record for the key that the server uses. Before each change of the key, "
        "publish the new record, and keep the old one until the change is done.",
        "RFC 7672 §2.2, RFC 8460 §4.3.2.1",
    )
    STS_POLICY_FETCH_ERROR = (
        "sts-policy-fetch-error",
        _MEDIUM,
        "Senders deliver without MTA-STS or with an old policy, because the policy that the "
        "domain announces cannot be fetched.",
        "Make `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` return the policy with status 200 "
        "and without a redirect.",
        "RFC 8461 §3.3, RFC 8460 §4.3.2.2",
    )
    STS_POLICY_INVALID = (
        "sts-policy-invalid",
        _MEDIUM,
        "Senders may ignore the MTA-STS policy, because its text is not valid.",
        "Correct the policy file. The detail says where it breaks RFC 8461.",
        "RFC 8461 §3.2, RFC 8460 §4.3.2.2",
    )
    STS_WEBPKI_INVALID = (
        "sts-webpki-invalid",
        _MEDIUM,
        "Senders ignore the MTA-STS policy, because the certificate of its web server is not "
        "valid for the name of that server.",
        "Install a certificate of a public CA for `mta-sts.DOMAIN` on the web server.",
        "RFC 8461 §3.3, RFC 8460 §4.3.2.2",
    )
    # DNS
    DNS_ERROR = (
        "dns-error",
        _MEDIUM,
        "Part of the answer is unknown, because a DNS look-up failed.",
        "Try again later. If the look-up in the detail fails again, check the nameservers that "
        "answer for it, and check this machine with `probe doctor`.",
        "RFC 5321 §5.1",
    )
    DOMAIN_NOT_FOUND = (
        "domain-not-found",
        _MEDIUM,
        "No mail can reach the domain, because it does not exist in DNS.",
        "Check the spelling, and check whether the registration of the domain has expired.",
        "RFC 5321 §5.1",
    )
    NO_MAIL_HOST = (
        "no-mail-host",
        _MEDIUM,
        "No mail can reach the domain, because it has no mail host with an address.",
        "Publish an MX record that names a host with an address. If the domain is to receive no "
        "mail, publish a null MX.",
        "RFC 5321 §5.1",
    )
    NULL_MX = (
        "null-mx",
        _INFO,
        "The domain receives no mail, because it publishes a null MX.",
        "Do nothing if that is intended. Otherwise publish the MX records of your servers in "
        "place of the null MX.",
        "RFC 7505",
    )
    NULL_MX_IGNORED = (
        "null-mx-ignored",
        _MEDIUM,
        "Some senders may not deliver mail, because a null MX, which means that the domain "
        "receives none, contradicts the other MX records.",
        "Remove the null MX, or remove all other MX records.",
        "RFC 7505 §3",
    )
    NULL_MX_PREFERENCE = (
        "null-mx-preference",
        _LOW,
        "Some senders may not see that the domain receives no mail, because the preference of its "
        "null MX is not 0.",
        "Set the preference to 0.",
        "RFC 7505 §3",
    )
    IMPLICIT_MX = (
        "implicit-mx",
        _INFO,
        "Mail goes to the address of the domain itself, because the domain has no MX record.",
        "Publish an MX record that names the mail server.",
        "RFC 5321 §5.1",
    )
    MX_IS_CNAME = (
        "mx-is-cname",
        _LOW,
        "Some senders refuse to deliver to this MX host, because its name is an alias (CNAME).",
        "Put the name that the alias points to in the MX record.",
        "RFC 2181 §10.3",
    )
    MX_IP_LITERAL = (
        "mx-ip-literal",
        _MEDIUM,
        "Senders do not find this mail server, because the MX record has an IP address in place "
        "of a host name.",
        "Put a host name that has this address in the MX record.",
        "RFC 1035 §3.3.9",
    )
    MX_LOCALHOST = (
        "mx-localhost",
        _MEDIUM,
        "No mail can arrive through this MX record, because it names the sender's own machine.",
        "Put the name of the real server in the MX record. If the domain is to receive no mail, "
        "publish a null MX.",
        "RFC 6761 §6.3",
    )
    MX_INVALID_NAME = (
        "mx-invalid-name",
        _MEDIUM,
        "Senders skip this MX record, because no host can have the name in it.",
        "Correct the name in the MX record.",
        "RFC 1123 §2.1",
    )
    NAME_WITH_UNDERSCORE = (
        "name-with-underscore",
        _LOW,
        "Some senders do not deliver to this name, and public CAs issue no certificate for it, "
        "because it has an underscore.",
        "Use a name without an underscore.",
        "RFC 1123 §2.1, RFC 5321 §4.1.2",
    )
    MX_NO_ADDRESS = (
        "mx-no-address",
        _MEDIUM,
        "Senders skip this MX host, because it has no address.",
        "Publish an A or AAAA record for the host, or remove the MX record.",
        "RFC 5321 §5.1",
    )
    MX_DUPLICATE = (
        "mx-duplicate",
        _INFO,
        "Delivery is not affected: the same MX host is listed more than once, and it was probed "
        "once, at its lowest preference.",
        "Remove the extra MX records.",
        "ours",
    )
    MX_NOT_LISTENING = (
        "mx-not-listening",
        _LOW,
        "Senders use another server, because this one refuses connections.",
        "Start the mail server, or remove the MX record. Do nothing if this is intended, as with "
        "nolisting.",
        "ours (nolisting)",
    )
    LIMIT_REACHED = (
        "limit-reached",
        _LOW,
        "The answer does not cover everything, because a limit of this program was reached.",
        "Publish fewer MX hosts and addresses: no sender needs so many.",
        "ours",
    )
    # the session
    NOT_TESTED = (
        "not-tested",
        _LOW,
        "Whether this server encrypts mail is unknown, because the server could not be tested.",
        "Read the reason in the detail. Try again later or from another network, and check this "
        "machine with `probe doctor`.",
        "ours",
    )
    UNCONFIRMED = (
        "unconfirmed",
        _MEDIUM,
        "Whether this server encrypts mail is unknown, because one attempt found no TLS, and no "
        "second attempt could confirm that.",
        "Probe the server again later.",
        "ours",
    )
    STARTTLS_REFUSED = (
        "starttls-refused",
        _HIGH,
        "Mail to this server travels in clear text or is held back, because the server offers "
        "STARTTLS and then refuses it.",
        "Read the log of the mail server. Often it cannot read its certificate or key file.",
        "RFC 3207 §4",
    )
    STARTTLS_INTERMITTENT = (
        "starttls-intermittent",
        _MEDIUM,
        "Some mail may travel in clear text, because TLS worked in one session and not in another.",
        "Check whether several servers share this address and differ in configuration, and "
        "whether a rate limit disables STARTTLS.",
        "ours",
    )
    STARTTLS_RESPONSE_INJECTION = (
        "starttls-response-injection",
        _HIGH,
        "An attacker may be changing the session, or the server is faulty, because unencrypted "
        "data followed its reply to STARTTLS.",
        "Update the mail server, and check the firewall or proxy in front of it.",
        "RFC 3207 §4.2, CVE-2011-0411",
    )
    STARTTLS_AFTER_TLS = (
        "starttls-after-tls",
        _LOW,
        "No effect on mail is known: the server offers STARTTLS again inside TLS, which the "
        "standard forbids.",
        "Update the mail server, or correct its configuration.",
        "RFC 3207 §4.2",
    )
    TLS_FAILED = (
        "tls-failed",
        _HIGH,
        "Mail to this server travels in clear text or is held back, because the server accepts "
        "STARTTLS and then the TLS handshake fails.",
        "Read the detail. Check the certificate, the TLS versions, the cipher suites, and whether "
        "the server demands a client certificate.",
        "RFC 3207 §4.1",
    )
    REPLY_MALFORMED = (
        "reply-malformed",
        _MEDIUM,
        "Some senders hold mail back or send it in clear text, because a reply of this server "
        "breaks the format of SMTP.",
        "Update the mail server or the device in front of it.",
        "RFC 5321 §4.2",
    )
    STARTTLS_OFFER_MALFORMED = (
        "starttls-offer-malformed",
        _HIGH,
        "Some senders send mail in clear text, because they do not recognize the form in which "
        "this server offers STARTTLS.",
        "Make the server send the keyword STARTTLS in upper case, alone on its line.",
        "RFC 3207 §4, RFC 5321 §4.1.1.1",
    )
    LARGE_HELLO_INTOLERANT = (
        "large-hello-intolerant",
        _MEDIUM,
        "Senders with current TLS software get no TLS, because the server or a device on the path "
        "rejects a large ClientHello, which post-quantum key exchange needs.",
        "Update the mail server or the firewall in front of it.",
        "RFC 8446 §4.2.8",
    )
    SNI_REFUSED = (
        "sni-refused",
        _MEDIUM,
        "Senders that name the MX host in the TLS handshake (SNI) get no TLS, because the "
        "handshake works only without a name.",
        "Make the server accept the name of the MX host, or ignore names that it does not know.",
        "RFC 6066 §3",
    )
    SNI_REQUIRED = (
        "sni-required",
        _HIGH,
        "Senders without SNI, such as Postfix and Exim by default, get no TLS or a certificate "
        "that does not verify the MX host, because the server needs SNI for that.",
        "Make a certificate with the name of the MX host the default certificate of the server.",
        "RFC 6066 §3",
    )
    TLS13_INTOLERANT = (
        "tls13-intolerant",
        _MEDIUM,
        "Senders that offer TLS 1.3, as current ones do, get no TLS, because the handshake works "
        "only without that offer.",
        "Update the mail server or the firewall in front of it.",
        "RFC 8446 §4.1.3",
    )
    ANONYMOUS_ONLY = (
        "anonymous-only",
        _HIGH,
        "Senders cannot verify this server, and many get no TLS, because the server completes TLS "
        "only without a certificate.",
        "Install a certificate, and disable anonymous cipher suites.",
        "RFC 9325 §4.1",
    )
    SESSION_FAILED_AFTER_TLS = (
        "session-failed-after-tls",
        _MEDIUM,
        "Mail may not get through, because the session failed after the TLS handshake.",
        "Read the log of the mail server for this session.",
        "RFC 3207 §4.2",
    )
    MASKED_BY_MIDDLEBOX = (
        "masked-by-middlebox",
        _MEDIUM,
        "Senders may send mail in clear text, because a firewall overwrites the greeting or the "
        "EHLO keywords and hides STARTTLS.",
        "Disable SMTP inspection in the firewall in front of the server, or in front of this "
        "machine (on Cisco: `inspect esmtp`).",
        "ours",
    )
    EHLO_NOT_SUPPORTED = (
        "ehlo-not-supported",
        _MEDIUM,
        "Mail to this server travels in clear text, because the server supports only HELO and so "
        "cannot offer STARTTLS.",
        "Update the mail server, or enable ESMTP.",
        "RFC 5321 §3.2",
    )
    BARE_LF = (
        "bare-lf",
        _LOW,
        "Strict senders may not deliver, because the server ends lines with LF in place of CRLF.",
        "Update the mail server or the device in front of it.",
        "RFC 5321 §2.3.8",
    )
    UNSOLICITED_DATA = (
        "unsolicited-data",
        _MEDIUM,
        "Senders may misread the session, because the server sent data before any command asked "
        "for it.",
        "Read the transcript (`probe -v`), and update the mail server or the device in front of "
        "it.",
        "RFC 5321 §4.2",
    )
    CLIENT_CERTIFICATE_REQUESTED = (
        "client-certificate-requested",
        _INFO,
        "Delivery is not affected unless the server insists: it asks senders for a client "
        "certificate, and most have none.",
        "Make sure that the server accepts mail without a client certificate.",
        "RFC 8446 §4.3.2",
    )
    # TLS and certificates
    TLS_VERSION_OBSOLETE = (
        "tls-version-obsolete",
        _HIGH,
        "More and more senders refuse to use TLS with this server, because the best version in "
        "common is older than TLS 1.2.",
        "Enable TLS 1.2 and TLS 1.3.",
        "RFC 8996, RFC 9325 §3.1.1",
    )
    CIPHER_WEAK = (
        "cipher-weak",
        _HIGH,
        "Encrypted mail to this server may be decrypted by others, because the cipher is too weak.",
        "Enable AES-GCM or ChaCha20 cipher suites, and disable the weak ones.",
        "NIST SP 800-131A r2 §2",
    )
    DH_WEAK = (
        "dh-weak",
        _HIGH,
        "Recorded mail may be decrypted later, and some senders refuse the handshake, because the "
        "Diffie-Hellman group has fewer than 2048 bits.",
        "Prefer ECDHE, or use the group ffdhe3072.",
        "RFC 9325 §4.5, NIST SP 800-131A r2 §5",
    )
    CERTIFICATE_NOT_YET_VALID = (
        "certificate-not-yet-valid",
        _HIGH,
        "Senders that check certificates hold mail back, because the certificate of this server "
        "is not valid yet.",
        "Install a certificate that is valid now, and check the clock of the machine that issued "
        "this one.",
        "RFC 5280 §6.1.3",
    )
    CERTIFICATE_EXPIRES_SOON = (
        "certificate-expires-soon",
        _MEDIUM,
        "Senders that check certificates will hold mail back in a few days, because the "
        "certificate of this server is about to expire.",
        "Renew the certificate and reload the mail server. Automatic renewal should already have "
        "done so: find out why it did not.",
        "ours",
    )
    CERTIFICATE_SELF_SIGNED = (
        "certificate-self-signed",
        _MEDIUM,
        "Senders cannot verify this server, because its certificate is self-signed.",
        "Use a certificate of a public CA, or publish this one by DANE if you control the DNS "
        "zone of the MX host and the zone is signed.",
        "RFC 5280 §6.1",
    )
    CERTIFICATE_NAME_DISPUTED = (
        "certificate-name-disputed",
        _MEDIUM,
        "Some senders accept the name in the certificate and others hold mail back, because TLS "
        "libraries disagree on whether it matches the MX host.",
        "Install a certificate that has the full name of the MX host.",
        "RFC 9525 §6.3, §7.1",
    )
    CERTIFICATE_COMMON_NAME_ONLY = (
        "certificate-common-name-only",
        _MEDIUM,
        "Senders cannot verify this server, because its certificate has the name of the MX host "
        "only in the common name, which is no longer used.",
        "Install a certificate that has the name as a subjectAltName.",
        "RFC 9525 §2",
    )
    CERTIFICATE_KEY_USAGE = (
        "certificate-key-usage",
        _HIGH,
        "Some senders, such as Exim with GnuTLS, get no TLS, because the certificate does not "
        "allow its key to sign, which the handshake needs.",
        "Install a certificate whose key usage includes digitalSignature, or that has no key "
        "usage.",
        "RFC 8446 §4.4.2.2, RFC 5280 §4.2.1.3",
    )
    CERTIFICATE_SAN_MALFORMED = (
        "certificate-san-malformed",
        _LOW,
        "One name in the certificate has no effect, because the subjectAltName is malformed and "
        "matches no host.",
        "Install a certificate that has plain DNS names.",
        "RFC 5280 §4.2.1.6",
    )
    CERTIFICATE_UNREADABLE = (
        "certificate-unreadable",
        _MEDIUM,
        "Part of the certificate was not tested, because it cannot be read.",
        "Replace the certificate with one that follows RFC 5280.",
        "RFC 5280 §4.1",
    )
    CERTIFICATE_KEY_WEAK = (
        "certificate-key-weak",
        _HIGH,
        "An attacker may be able to pretend to be this server, because a key in its certificate "
        "chain has less than 112 bits of strength.",
        "Create a new key, EC P-256 or RSA with at least 2048 bits, and get a new certificate.",
        "NIST SP 800-57 part 1 r5 table 2",
    )
    CERTIFICATE_SIGNATURE_WEAK = (
        "certificate-signature-weak",
        _HIGH,
        "An attacker may be able to pretend to be this server, because a certificate in its chain "
        "is signed with MD5, SHA-1 or another broken digest.",
        "Install a chain that is signed with SHA-256 or better.",
        "NIST SP 800-131A r2 §9",
    )
    CHAIN_INCOMPLETE = (
        "chain-incomplete",
        _MEDIUM,
        "Senders cannot verify this server, because it does not send its intermediate "
        "certificates, and mail servers do not fetch them.",
        "Install the full chain, the certificate of the server first.",
        "RFC 8446 §4.4.2",
    )
    CHAIN_MISORDERED = (
        "chain-misordered",
        _LOW,
        "Some senders may fail to verify this server, because its certificates are out of order "
        "or include unrelated ones.",
        "Install the certificate of the server first, then the certificate of each issuer.",
        "RFC 8446 §4.4.2",
    )
    CHAIN_TRUNCATED = (
        "chain-truncated",
        _LOW,
        "Part of the chain was not tested, because the server sent more certificates than this "
        "program keeps.",
        "Install only the certificate of the server and its intermediate certificates.",
        "ours",
    )
    TRUST_NOT_TESTED = (
        "trust-not-tested",
        _LOW,
        "Whether the certificate is trusted is unknown, because this machine has no list of "
        "trusted CAs.",
        "Install the CA bundle of the system, or name one with `--ca-file`.",
        "ours",
    )
    # what else the server accepts: only with --deep. MEDIUM where somebody who only listens can
    # read the mail, LOW where that takes the server's key or an attacker who changes traffic: such
    # a one can strip STARTTLS as well, and old encryption is better than clear text (RFC 7435 §3)
    LEGACY_VERSION_ACCEPTED = (
        "legacy-version-accepted",
        _LOW,
        "Mail from senders that have nothing newer is encrypted by an old protocol, because the "
        "server accepts versions older than TLS 1.2.",
        "Keep them unless a norm forbids it. Postfix: `smtpd_tls_protocols = >=TLSv1.2`. Exim with "
        "GnuTLS: `tls_require_ciphers = NORMAL:-VERS-TLS1.0:-VERS-TLS1.1`.",
        "RFC 8996, RFC 9325 §3.1.1",
    )
    BROKEN_SUITE_ACCEPTED = (
        "broken-suite-accepted",
        _MEDIUM,
        "Mail from senders that have nothing better may be decrypted by others, because the server "
        "accepts a broken cipher suite.",
        "Postfix: `smtpd_tls_exclude_ciphers = EXPORT, LOW, eNULL, MD5, RC4, 3DES`. Exim: "
        "`tls_require_ciphers = NORMAL` with GnuTLS, `HIGH:!aNULL:!3DES` with OpenSSL.",
        "RFC 9325 §4.1",
    )
    ANONYMOUS_SUITE_ACCEPTED = (
        "anonymous-suite-accepted",
        _INFO,
        "Delivery is not affected: the server also accepts cipher suites without a certificate, "
        "and senders that check certificates do not offer them.",
        "Do nothing unless a norm forbids it: Postfix accepts them by default. Postfix: "
        "`smtpd_tls_exclude_ciphers = aNULL`. Exim with OpenSSL: `tls_require_ciphers = "
        "HIGH:!aNULL`.",
        "RFC 9325 §4.1, RFC 7672 §8.2",
    )
    STATIC_KEY_EXCHANGE_ACCEPTED = (
        "static-key-exchange-accepted",
        _LOW,
        "Whoever gets the key of the server can decrypt recorded mail of senders that have nothing "
        "better, because the server accepts a key exchange without forward secrecy.",
        "Postfix: `smtpd_tls_exclude_ciphers = kRSA`. Exim: `tls_require_ciphers = NORMAL:-RSA` "
        "with GnuTLS, `HIGH:!aNULL:!kRSA` with OpenSSL.",
        "RFC 9325 §4.1",
    )
    DH_WEAK_ACCEPTED = (
        "dh-weak-accepted",
        _MEDIUM,
        "Recorded mail of senders without elliptic curves may be decrypted later, because the "
        "server accepts a Diffie-Hellman group with fewer than 2048 bits.",
        "Postfix 3.1 or newer: remove `smtpd_tls_dh1024_param_file`. Exim with OpenSSL: "
        "`tls_dhparam = ffdhe2048`. Or disable it, in Postfix `smtpd_tls_exclude_ciphers = kDHE`.",
        "RFC 9325 §4.5, NIST SP 800-131A r2 §5",
    )
    POST_QUANTUM_MISSING = (
        "post-quantum-missing",
        _INFO,
        "Recorded mail could be decrypted by a future quantum computer, because the server accepts "
        "no post-quantum key exchange.",
        "Use OpenSSL 3.5 or newer with TLS 1.3. Postfix 3.10 or newer: set `tls_eecdh_auto_curves` "
        "and `tls_ffdhe_auto_groups` to nothing. Exim: leave `tls_eccurve` at `auto`.",
        "ours",
    )
    CERTIFICATES_DIFFER = (
        "certificates-differ",
        _HIGH,
        "Some senders verify this server and others hold mail back, because it has several "
        "certificates and not each of them verifies the MX host.",
        "Renew the RSA and the ECDSA certificate for the MX host, each with its chain and TLSA "
        "record. Or remove the one that fails: `smtpd_tls_chain_files` in Postfix, "
        "`tls_certificate` in Exim.",
        "RFC 7671 §8, RFC 7672 §2.2",
    )
    COMPRESSION_ACCEPTED = (
        "compression-accepted",
        _LOW,
        "An attacker who can add text to mail may learn parts of it from its length, because the "
        "server compresses within TLS.",
        "Postfix: `tls_ssl_options = NO_COMPRESSION`. Exim with OpenSSL: `openssl_options = "
        "+no_compression`. Or update the TLS library.",
        "RFC 9325 §3.3",
    )
    RENEGOTIATION_INSECURE = (
        "renegotiation-insecure",
        _MEDIUM,
        "Senders with OpenSSL 3, such as Postfix on current systems, get no TLS from this server "
        "by TLS 1.2 or older, because the server does not support secure renegotiation.",
        "Update the TLS library of the mail server, or the device in front of it.",
        "RFC 5746 §3.4, RFC 9325 §3.5",
    )
    DEEP_NOT_TESTED = (
        "deep-not-tested",
        _LOW,
        "What else this server accepts is partly unknown, because some questions of `--deep` got "
        "no answer.",
        "Read the reasons in the detail. Servers that limit connections stop answering: try again "
        "later. Where the budget of the run was spent, raise `--deep-budget`.",
        "ours",
    )
    # DANE
    TLSA_NOT_TESTED = (
        "tlsa-not-tested",
        _LOW,
        "Whether senders that use DANE deliver is unknown, because the TLSA records could not be "
        "looked up or compared with the certificate.",
        "Read the reason in the detail. Check with `probe doctor` who validates DNSSEC here, and "
        "check the nameservers of the MX host.",
        "RFC 7672 §2.1.2",
    )
    DNSSEC_PROOF_INVALID = (
        "dnssec-proof-invalid",
        _MEDIUM,
        "What these saved results say of DANE does not count, because the DNSSEC proof in them is "
        "not valid or shows something else.",
        "Test the domain again. Find out who changed the file, or which trust anchor the run had.",
        "RFC 4035 §5",
    )
    TLSA_UNUSABLE = (
        "tlsa-unusable",
        _MEDIUM,
        "Senders that use DANE ignore some or all of the TLSA records, because these are of a kind "
        "that mail does not use.",
        "Publish records with usage 3 or 2, such as 3 1 1. The detail says what is left for "
        "senders.",
        "RFC 7672 §2.2, §3.1.3",
    )
    TLSA_STALE = (  # retired; earlier results have it
        "tlsa-stale",
        _INFO,
        "This finding is no longer reported, because earlier versions mistook spare TLSA records "
        "for old ones.",
        "Keep the record unless you know that its key is no longer in use.",
        "RFC 7671 §8.1",
    )
    TLSA_SPARE = (
        "tlsa-spare",
        _INFO,
        "Delivery is not affected: one TLSA record matches, and another matches no certificate "
        "that was seen.",
        "Do nothing: the record may be for the next key, for a key of another type, or for a "
        "spare CA.",
        "RFC 7671 §8.1, §8.4",
    )
    TLSA_INSECURE = (
        "tlsa-insecure",
        _LOW,
        "No sender uses the TLSA records of this host, because DNSSEC does not protect them.",
        "Sign the zone of the MX host with DNSSEC.",
        "RFC 7672 §2.1.1",
    )
    TLSA_MX_INSECURE = (
        "tlsa-mx-insecure",
        _INFO,
        "An attacker can direct mail to another host, because the MX record of the domain is not "
        "signed, although the MX host has secure TLSA records.",
        "Sign the zone of the domain with DNSSEC.",
        "RFC 7672 §2.2.1",
    )
    DANE_NO_TLS = (
        "dane-no-tls",
        _HIGH,
        "Senders that use DANE hold mail back, because TLSA records promise TLS and this server "
        "completes none.",
        "Repair TLS on the server, or remove the TLSA records.",
        "RFC 7672 §2.2",
    )
    # MTA-STS and TLS-RPT
    STS_TXT_INVALID = (
        "sts-txt-invalid",
        _MEDIUM,
        "Senders may not look for the MTA-STS policy, because the TXT record at `_mta-sts` is not "
        "valid.",
        "Publish exactly one TXT record there, such as `v=STSv1; id=20260101`.",
        "RFC 8461 §3.1",
    )
    STS_NOT_TESTED = (
        "sts-not-tested",
        _LOW,
        "Whether senders can use MTA-STS is unknown, because its TXT record or its policy could "
        "not be looked up.",
        "Try again later. If it fails again, check the nameservers of the domain.",
        "RFC 8461 §3.1",
    )
    STS_MX_NOT_LISTED = (
        "sts-mx-not-listed",
        _MEDIUM,
        "Senders that enforce MTA-STS do not deliver to this MX host, because the policy does not "
        "list it.",
        "Add the host to the policy, then change the id of the TXT record.",
        "RFC 8461 §4.1",
    )
    STS_MX_FAILS = (
        "sts-mx-fails",
        _HIGH,
        "Senders that enforce MTA-STS do not deliver to this MX host, because its TLS or its "
        "certificate is not good enough.",
        "Give the host TLS 1.2 or newer and a trusted certificate that has its name.",
        "RFC 8461 §4.2",
    )
    STS_MAX_AGE_SHORT = (
        "sts-max-age-short",
        _LOW,
        "An attacker gets more chances to bypass MTA-STS, because senders forget the policy "
        "within a day.",
        "Raise max_age to several weeks once the policy is known to work.",
        "RFC 8461 §3.2",
    )
    STS_NOT_ENFORCED = (
        "sts-not-enforced",
        _INFO,
        "Senders deliver even where TLS or the certificate fails, because the mode of the MTA-STS "
        "policy is not enforce.",
        "Change the mode to enforce once TLS reports show no failures.",
        "RFC 8461 §5",
    )
    STS_WITHOUT_TXT = (
        "sts-without-txt",
        _MEDIUM,
        "No sender uses the MTA-STS policy, because no TXT record announces it.",
        "Publish the TXT record at `_mta-sts`, or remove the policy file.",
        "RFC 8461 §3.1",
    )
    STS_SENDERS_DIFFER = (
        "sts-senders-differ",
        _MEDIUM,
        "Some senders enforce the MTA-STS policy and others do not, because the record or the "
        "policy breaks RFC 8461.",
        "Correct what the detail names, so that all senders do the same.",
        "RFC 8461 §3.1, §3.2",
    )
    TLS_RPT_INVALID = (
        "tls-rpt-invalid",
        _LOW,
        "Nobody sends reports on TLS failures, because the TXT record at `_smtp._tls` is invalid.",
        "Publish one TXT record there, such as `v=TLSRPTv1; rua=mailto:tls@example.com`.",
        "RFC 8460 §3",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fact worth knowing, by a stable code. The wording of ``detail`` may change."""

    code: Code
    severity: Severity
    mx_host: str | None = None
    address: str | None = None
    detail: str | None = None


def finding(
    code: Code,
    *,
    mx_host: str | None = None,
    address: str | None = None,
    detail: str | None = None,
) -> Finding:
    """A finding with the severity of its code."""
    return Finding(
        code=code, severity=code.severity, mx_host=mx_host, address=address, detail=detail
    )
