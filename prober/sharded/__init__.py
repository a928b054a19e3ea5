"""A scan in shards: what one worker does (stages), in which folder, and how dask hands out tasks.

A file is there as a whole or not at all, so a run can be resumed where one was killed. Only
``prober.sharded.dask`` knows dask. docs/scale.md.
"""
