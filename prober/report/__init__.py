"""Reports: renders records, one module per format. Nothing here judges.

``output.open_report`` gives a writer for a file or stdout; ``json_.read_reports`` reads reports on
domains back.
"""
