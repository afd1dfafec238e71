"""HTTP: endpoints on their addresses, guarded, capped, and streams that many read.

What is told there is not decided here: `minidns.admin` makes the endpoints. Start reading: `endpoint`, then `serving`.
"""
