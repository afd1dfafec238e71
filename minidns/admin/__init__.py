"""What a running server tells over HTTP, and takes: a table of endpoints, a module per group.

A new endpoint is an `Endpoint` in the module of its group (or a module of its own, and its line in `table`).

Start reading: `table`, then `state`.
"""
