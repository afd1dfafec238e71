"""What a node of the index holds ready to send: an answer as bytes.

`minidns.core.wire` puts it together, `minidns.core.zone` keeps it and lets go of it with a change, and
`minidns.core.responder` sends it.
"""

from __future__ import annotations

import msgspec

from minidns.core.names import Name


class Ready(msgspec.Struct, gc=False):
    """An answer that is ready to send behind a question of one length.

    heads: by Profile.variant, flags and counts (10 bytes).
    body: the records behind the question. For a set that is rotated: all its records, twice in a row.
    options: the options of the OPT record with their length, b"" for none.
    size: the length of records and options as they are sent.
    rcode: of the answer. kind: where the answer is counted.
    step, turn: length of a record of a set that is rotated, and where in `body` the next answer starts.
    soa: the origin whose SOA record is the body, put together when sent, because the serial moves.
    ends: where in `body` each record of the answer section ends; records behind the last are additional.
    lead: how many of these are aliases in front, without which the others mean nothing.
    """

    heads: tuple[bytes, ...]
    body: bytes
    options: bytes
    size: int
    rcode: int
    kind: int = 0
    step: int = 0
    turn: int = 0
    soa: Name | None = None
    ends: tuple[int, ...] = ()
    lead: int = 0
