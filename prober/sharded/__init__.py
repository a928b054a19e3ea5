"""A scan of a long list in shards, by many processes, on one machine or on a cluster.

Words:

- **shard**: a piece of the list, 1,000 domains unless another size is chosen.
- **partition**: a part of all the addresses that the domains' MX hosts have. A hash of the address
  decides its partition. So one process sees all sessions on an address, can limit them, and probes
  an endpoint once, however many domains share it.
- **task**: one stage for one shard or one partition. A worker runs one task at a time.
- **worker**: a process that dask.distributed starts, here or on another machine.
- **coordinator**: the process of `probe scan`. It submits tasks and writes the reports.
- **work folder**: a folder that the coordinator and all workers can reach at the same path. All
  results pass through its files, not through dask.

Stages, in order. A stage starts when the one before it is done for all shards or partitions:

1. **resolve**, per shard: look up MX hosts, addresses, TLSA, MTA-STS and TLSRPT of each domain.
   Write what was found, and a list of the endpoints to probe in each partition.
2. **count**, per partition: find the operators with addresses in several partitions. Their limits
   are divided among the partitions that are probed at the same time.
3. **probe**, per partition: probe each endpoint once, and store the facts in an SQLite file.
4. **judge**, per shard: join each domain with the facts of its endpoints, judge it, and write its
   rows for each report, and the totals.

Then the coordinator copies the rows into the reports, in the order of the list.

On disk, in the work folder (``folder`` has all paths):

```
job.json        the scan: list, settings, reports, sizes       planned.json   number of shards
run             the token of the current run                   finished.json  while it is removed
entries/        the shards of the list                         resolved/      results of stage 1
operators/      results of stage 2                             endpoints/     facts of stage 3
judged/         rows and totals of stage 4
```

How it resumes: a file appears by a rename, so it is complete or missing. The last file that a task
writes marks the task as done. A run with `--resume` checks that ``job.json`` describes the same
scan, skips every task whose last file exists, and runs the others. It writes a new token to
``run``. A task of an earlier run, which may still run on a cluster, checks the token about once a
second and stops when it has changed.

Modules: ``stages`` is what a worker does, without dask. ``folder`` and ``files`` are the work
folder. ``owner`` stops tasks whose run has ended. ``dask`` is the only module that imports dask.
docs/scale.md is the user's page.
"""
