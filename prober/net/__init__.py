"""Facts: DNS, SMTP and TLS as seen from here. Nothing in this folder judges."""
