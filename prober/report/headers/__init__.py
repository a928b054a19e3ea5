"""Reports of `probe headers`: one module a format, the columns once. Nothing here judges."""
