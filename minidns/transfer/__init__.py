"""The zones for other servers: whole (AXFR), as what changed (IXFR), with word of it (NOTIFY), signed (TSIG).

`serials` numbers the states of a zone, `journal` keeps what each step between two of them changed, `answering` gives
both to secondaries as `messages`, the changes from `deltas` that are made once for all. `notify` tells each `follower`,
by a `peer`, that there is something to fetch. `tsig` signs and checks, for a server block in `signed`.

Start reading: `answering.Transfers.answer`.
"""
