"""DANE over a real signed tree: NSD, a validating unbound, Postfix and OpenSSL as referees."""
