"""What --deep finds at real TLS servers, each behind a front that speaks SMTP up to STARTTLS."""
