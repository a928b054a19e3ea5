"""Reports: renders ``DomainReport`` records, one module a format. Nothing here judges.

``output.open_report`` gives a writer for a file or stdout; ``json_.read_reports`` reads them back.
"""
