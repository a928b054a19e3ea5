"""A scan in shards, by whatever engine: what one worker does (stages), in which folder, for whom.

Files are whole or not there, so that a run goes on where one was killed. ``prober.engine`` hands
the tasks to dask; nothing here knows of it. docs/scale.md.
"""
