"""For each finding code: what it means, and what to do about it. Addressed to the reader.

"You" is whoever runs the domain's mail servers; who only sends mail there passes it on.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from prober.records import Code

ADVICE: Final[Mapping[Code, str]] = MappingProxyType(
    {
        # RFC 8460 §4.3
        Code.STARTTLS_NOT_SUPPORTED: (
            "The server offers no STARTTLS, so mail to it travels in clear. "
            "Give the server a certificate and switch STARTTLS on for port 25."
        ),
        Code.CERTIFICATE_HOST_MISMATCH: (
            "The certificate does not name the MX host, so a sender cannot tell the server from "
            "an impostor. Get a certificate with the MX host's name as a subjectAltName."
        ),
        Code.CERTIFICATE_EXPIRED: (
            "The certificate is past its last day: senders that insist on a valid one hold the "
            "mail back. Renew it, reload the mail server, and see why renewal did not run."
        ),
        Code.CERTIFICATE_NOT_TRUSTED: (
            "No chain leads from the certificate to a trust anchor, so a sender cannot prove the "
            "server. See that it sends the full chain; else use a public CA, or publish it by DANE."
        ),
        Code.DNSSEC_INVALID: (
            "DNSSEC validation of the answer fails, so validating senders cannot deliver at all. "
            "Check the DS record at the parent and the signatures of the zone."
        ),
        Code.TLSA_INVALID: (
            "The certificate matches no usable TLSA record, so senders that do DANE hold the mail "
            "back. Publish the record of the new key before the key is used, and keep the old one."
        ),
        Code.STS_POLICY_FETCH_ERROR: (
            "The domain announces MTA-STS, and its policy cannot be fetched: senders go on without "
            "it, or with an old one. See that the policy host answers with the file, status 200."
        ),
        Code.STS_POLICY_INVALID: (
            "The MTA-STS policy breaks the format of RFC 8461, so senders may ignore it. "
            "Correct the file; the detail says where."
        ),
        Code.STS_WEBPKI_INVALID: (
            "The certificate of the MTA-STS policy host is not valid for its name, so senders "
            "ignore the policy. Get one of a public CA that names mta-sts and the domain."
        ),
        # DNS
        Code.DNS_ERROR: (
            "A DNS look-up failed; the detail says which one, and what it would tell is unknown. "
            "Try again; if it fails again, check the domain's nameservers, or with "
            "`probe doctor` this machine."
        ),
        Code.DOMAIN_NOT_FOUND: (
            "The domain does not exist in DNS, so no mail can reach it. "
            "Check the spelling, and whether the registration has lapsed."
        ),
        Code.NO_MAIL_HOST: (
            "The domain has no MX host with an address, so no mail can reach it. "
            "Publish an MX record, or a null MX if it is meant to receive none."
        ),
        Code.NULL_MX: (
            "The domain says with a null MX that it receives no mail (RFC 7505). "
            "Nothing needs doing if that is what is meant."
        ),
        Code.NULL_MX_IGNORED: (
            "A null MX stands beside other MX records, which contradict it (RFC 7505 section 3). "
            "Remove one or the other."
        ),
        Code.NULL_MX_PREFERENCE: (
            "The null MX has a preference other than 0 (RFC 7505 section 3), which some senders "
            "may not accept. Set it to 0."
        ),
        Code.IMPLICIT_MX: (
            "The domain has no MX record, so mail goes to its own address (RFC 5321 section 5.1). "
            "Publish an MX record, so that the mail host is named on purpose."
        ),
        Code.MX_IS_CNAME: (
            "The MX host is an alias, which RFC 2181 section 10.3 forbids and some senders refuse. "
            "Point the MX record at the canonical name."
        ),
        Code.MX_IP_LITERAL: (
            "The MX record holds an IP address where a host name belongs, so senders find no "
            "host. Point it at a name that has this address."
        ),
        Code.MX_LOCALHOST: (
            "The MX host is the sender's own machine, so no mail can arrive. "
            "Publish the real host, or a null MX if the domain is meant to receive none."
        ),
        Code.MX_INVALID_NAME: (
            "No host can have the name that the MX record gives, so senders skip it. "
            "Correct the record."
        ),
        Code.NAME_WITH_UNDERSCORE: (
            "No host name may have an underscore (RFC 1123). It was probed, since many senders "
            "deliver, but some refuse, and public CAs issue no certificate for it. "
            "Use a name without one."
        ),
        Code.MX_NO_ADDRESS: (
            "The MX host has no address, so senders skip it. "
            "Publish its A or AAAA record, or remove the MX record."
        ),
        Code.MX_DUPLICATE: (
            "The same MX host is listed more than once; it was asked once, at its lowest "
            "preference. Remove the extra records."
        ),
        Code.MX_NOT_LISTENING: (
            "Nothing listens at this endpoint while another MX host answers, which may be meant "
            "(nolisting). Remove the MX record if it is not."
        ),
        Code.LIMIT_REACHED: (
            "A limit of this program cut something off, so the answer does not cover all there "
            "is. No sender needs so many hosts or addresses: publish fewer."
        ),
        # the session
        Code.NOT_TESTED: (
            "The server could not be tested, which says nothing about its TLS. The detail says "
            "why; try again later or elsewhere, and see with `probe doctor` if it is this machine."
        ),
        Code.UNCONFIRMED: (
            "TLS was not to be had once, but no second session could confirm it, so it is not "
            "held against the server. Probe it again later."
        ),
        Code.STARTTLS_REFUSED: (
            "The server offers STARTTLS and then refuses it, so mail to it travels in clear or "
            "waits. Look in the server's log: often a certificate or key file cannot be read."
        ),
        Code.STARTTLS_INTERMITTENT: (
            "TLS worked in one session and not in another, so some mail may travel in clear. Look "
            "for a cluster whose members differ, or for rate limits that drop STARTTLS."
        ),
        Code.STARTTLS_RESPONSE_INJECTION: (
            "Bytes in clear came behind the reply to STARTTLS, by an attack on the path or by a "
            "faulty server. Update the mail server, and check what stands in front of it."
        ),
        Code.STARTTLS_AFTER_TLS: (
            "The server offers STARTTLS again within TLS, which RFC 3207 section 4.2 forbids. "
            "Update or correct the mail server."
        ),
        Code.TLS_FAILED: (
            "STARTTLS is granted but the TLS handshake fails, so mail travels in clear or waits. "
            "Read the detail; check certificate, TLS versions, ciphers, and any demand for a "
            "client certificate."
        ),
        Code.REPLY_MALFORMED: (
            "A reply of the server breaks the format of SMTP, and senders read it "
            "differently: some hold mail back or send it in clear. Update the mail server "
            "or what stands before it."
        ),
        Code.STARTTLS_OFFER_MALFORMED: (
            "The server offers STARTTLS in a form that some senders do not see, and they "
            "send mail in clear. Write the keyword alone, in upper case, on a line of its "
            "own."
        ),
        Code.LARGE_HELLO_INTOLERANT: (
            "TLS works with a small ClientHello only: today's, with a post-quantum key share, is "
            "too large for something on the path. Update the server or the firewall before it."
        ),
        Code.SNI_REFUSED: (
            "TLS works without SNI only: senders that name the server in the ClientHello "
            "get none. Let the server ignore names that it does not know, or give it this "
            "one."
        ),
        Code.SNI_REQUIRED: (
            "TLS, or a certificate that proves the MX host, is there with SNI only; Postfix "
            "and Exim send none by default. Give the server a default certificate that "
            "names the MX host."
        ),
        Code.TLS13_INTOLERANT: (
            "TLS works only where the sender offers no TLS 1.3, and today's senders all do. "
            "Update the mail server or the firewall before it."
        ),
        Code.ANONYMOUS_ONLY: (
            "The server does TLS only without a certificate, so nobody can prove who it is. "
            "Give it a certificate and switch anonymous cipher suites off."
        ),
        Code.SESSION_FAILED_AFTER_TLS: (
            "TLS was completed, and then the session broke off, so mail may not get through. "
            "Look in the server's log for this session."
        ),
        Code.MASKED_BY_MIDDLEBOX: (
            "A middlebox overwrites the greeting or the EHLO keywords and so hides STARTTLS. "
            "Switch SMTP inspection off in the firewall (on Cisco: `inspect esmtp`)."
        ),
        Code.EHLO_NOT_SUPPORTED: (
            "The server knows only HELO, so it has no extensions and no STARTTLS. "
            "Update it, or switch ESMTP on."
        ),
        Code.BARE_LF: (
            "The server ends lines with a bare LF, which RFC 5321 section 2.3.8 forbids and strict "
            "senders reject. Update the mail server or what stands before it."
        ),
        Code.UNSOLICITED_DATA: (
            "The server sent something that nothing had asked for, which may confuse senders. "
            "Read the transcript, and update the mail server or what stands before it."
        ),
        Code.CLIENT_CERTIFICATE_REQUESTED: (
            "The server asks senders for a certificate; most have none, and need none. "
            "Make sure that the server also accepts mail without one."
        ),
        # TLS and certificates
        Code.TLS_VERSION_OBSOLETE: (
            "The best common TLS version is older than 1.2 (RFC 8996), and more and more senders "
            "refuse it. Switch TLS 1.2 and 1.3 on."
        ),
        Code.CIPHER_WEAK: (
            "The negotiated cipher is too weak to keep mail confidential. "
            "Switch on AES-GCM or ChaCha20 suites, and the weak ones off."
        ),
        Code.DH_WEAK: (
            "The Diffie-Hellman group is smaller than 2048 bits, so recorded mail may be read "
            "later, and some senders refuse the handshake. "
            "Prefer ECDHE, or use the group ffdhe3072."
        ),
        Code.CERTIFICATE_NOT_YET_VALID: (
            "The certificate's first day is still to come, so senders that insist refuse it. "
            "Install a current one, and check the clock of the machine that made it."
        ),
        Code.CERTIFICATE_EXPIRES_SOON: (
            "The certificate expires within days, and renewal should have run by now. "
            "Renew it and reload the mail server."
        ),
        Code.CERTIFICATE_SELF_SIGNED: (
            "The certificate is signed by itself, so it proves nothing to a sender. "
            "Use one of a public CA, or publish this one by DANE in a signed zone."
        ),
        Code.CERTIFICATE_NAME_DISPUTED: (
            "Some senders take the certificate for the host's, and others hold the mail back, "
            "because their TLS libraries differ. Get a certificate with the full name of the host."
        ),
        Code.CERTIFICATE_COMMON_NAME_ONLY: (
            "The host stands only in the common name, which is no longer looked at (RFC 9525). "
            "Get a certificate with the name as a subjectAltName."
        ),
        Code.CERTIFICATE_SAN_MALFORMED: (
            "A subjectAltName of the certificate is malformed and matches no host. "
            "Get a certificate that has plain DNS names."
        ),
        Code.CERTIFICATE_UNREADABLE: (
            "Part of the certificate cannot be read, so that part was not tested. "
            "Replace it by one that follows RFC 5280."
        ),
        Code.CERTIFICATE_KEY_WEAK: (
            "A key in the chain is below 112-bit strength and can be broken. "
            "Make a new key of RSA 2048, or better EC P-256, and a new certificate."
        ),
        Code.CERTIFICATE_SIGNATURE_WEAK: (
            "A certificate in the chain is signed with MD5 or SHA-1, which can be forged. "
            "Get a chain that is signed with SHA-256 or better."
        ),
        Code.CHAIN_INCOMPLETE: (
            "The server does not send its intermediate certificates, and mail servers do not "
            "fetch them. Install the full chain, the leaf first."
        ),
        Code.CHAIN_MISORDERED: (
            "The certificates come out of order or with strangers among them, which some senders "
            "do not sort out. Install the leaf first, then each one's issuer."
        ),
        Code.CHAIN_TRUNCATED: (
            "The server sent more certificates than are kept, so the rest was not looked at. "
            "Install only the leaf and its intermediates."
        ),
        Code.TRUST_NOT_TESTED: (
            "No trust anchors were loaded, so it is open whether the certificate is trusted. "
            "Install the CA bundle of the system, or name one with `--ca-file`."
        ),
        # DANE
        Code.TLSA_NOT_TESTED: (
            "Whether DANE is published could not be learnt, which is not the same as that it is "
            "not. See whether DNSSEC counts on this machine (probe doctor), or why the look-up "
            "fails."
        ),
        Code.TLSA_UNUSABLE: (
            "Some or all of the TLSA records are of a kind that mail does not use (RFC 7672); the "
            "detail says what is left for senders. Publish usage 3 or 2, such as 3 1 1."
        ),
        Code.TLSA_STALE: (
            "Not reported any more: earlier versions took a spare record for an old one. "
            "Keep the record unless you know that its key is no longer in use."
        ),
        Code.TLSA_SPARE: (
            "A TLSA record matches, and another one matches no certificate that was seen: it may "
            "be for the next key, for a key of another type, or for a spare CA. "
            "Nothing needs doing."
        ),
        Code.TLSA_INSECURE: (
            "TLSA records stand in a zone that DNSSEC does not protect, so no sender uses them. "
            "Sign the zone of the MX host."
        ),
        Code.TLSA_MX_INSECURE: (
            "The MX host has secure TLSA records, but the domain's MX record is not signed, so an "
            "attacker can name a host of his own. Sign the domain's zone."
        ),
        Code.DANE_NO_TLS: (
            "The domain promises TLS by TLSA records and this server completes none, so senders "
            "that do DANE hold the mail back. Mend its TLS, or remove the records."
        ),
        # MTA-STS and TLS-RPT
        Code.STS_TXT_INVALID: (
            "The MTA-STS record at _mta-sts is not valid, so senders may look for no policy. "
            "Publish exactly one, such as v=STSv1; id=20260101."
        ),
        Code.STS_NOT_TESTED: (
            "Whether the domain has MTA-STS could not be looked up. "
            "Try again; if it stays, check the domain's nameservers."
        ),
        Code.STS_MX_NOT_LISTED: (
            "The MTA-STS policy does not list this MX host, so senders that enforce it hold "
            "the mail back there. Add the host to the policy, and change the id of the record."
        ),
        Code.STS_MX_FAILS: (
            "The MTA-STS policy lists this MX host, and senders that enforce it cannot deliver "
            "there. Give it TLS 1.2 and a trusted certificate that names it."
        ),
        Code.STS_MAX_AGE_SHORT: (
            "Senders forget the MTA-STS policy within a day, which gives an attacker his chance. "
            "Raise max_age to weeks once it is known to work."
        ),
        Code.STS_NOT_ENFORCED: (
            "The MTA-STS policy asks senders for reports, not for insistence. "
            "Change its mode to enforce once the reports are clean."
        ),
        Code.STS_WITHOUT_TXT: (
            "There is an MTA-STS policy that no record announces, so no sender looks for it. "
            "Publish the record at _mta-sts, or take the file away."
        ),
        Code.STS_SENDERS_DIFFER: (
            "Some senders enforce the MTA-STS policy and others do not, because the record or the "
            "policy breaks RFC 8461. Correct it; then all senders do the same."
        ),
        Code.TLS_RPT_INVALID: (
            "The record at _smtp._tls is not valid, so nobody sends reports on TLS. "
            "Publish one such as v=TLSRPTv1; rua=mailto:tls@example.com."
        ),
    }
)
