"""An upstream that must not be trusted: right answers among forged, broken, endless and huge ones, and silence."""

from __future__ import annotations

import asyncio
import struct
import zlib
from functools import cache
from random import Random

from tests.soak.world import World
from tests.support.neighbours import Script, Scripted

#: What no client may ever be told: only forged answers say it.
POISON = bytes((203, 0, 113, 66))
_HEADER = struct.Struct("!6H")


def honest(labels: bytes) -> bytes:
    """The address of a name below good.test: labels as they are in wire form, in any case."""
    return bytes((198, 18, zlib.crc32(labels.lower()) & 255, 1))


def script(rng: Random) -> Script:
    """Names below good.test are answered rightly, after forgeries; of all others anything may come back."""

    def answer(packet: bytes, transport: str) -> list[bytes]:
        end = packet.find(b"\0", 12)
        name, question = packet[12:end], packet[12 : end + 5]
        if end < 0 or len(question) < end - 7:
            return []
        right = reply(packet, question, record(b"\xc0\x0c", 1, honest(name)))
        if b"\4good\4test" in name.lower() or end == 12:
            return [*rng.sample(forged(packet, question), rng.randrange(3)), right]
        if transport == "udp" and rng.random() < 0.4:
            return [reply(packet, question, b"", flags=0x8380)]
        return rng.choice(HOSTILE)(rng, packet, question)

    return answer


def reply(
    packet: bytes, question: bytes, records: bytes, count: int = 1, flags: int = 0x8180, additional: int = 0
) -> bytes:
    """An answer to a packet: `count` records of the answer section, then the additional ones."""
    counts = (1, count if records else 0, 0, additional)
    return packet[:2] + _HEADER.pack(0, flags, *counts)[2:] + question + records


def record(owner: bytes, type_: int, data: bytes) -> bytes:
    return owner + struct.pack("!HHIH", type_, 1, 1, len(data)) + data


def forged(packet: bytes, question: bytes) -> list[bytes]:
    """What somebody else may send in the upstream's name."""
    poison = record(b"\xc0\x0c", 1, POISON)
    right = reply(packet, question, poison)
    return [
        bytes((right[0] ^ 1,)) + right[1:],
        right[:2] + b"\0" + right[3:],
        reply(packet, b"\3bad" + question, poison),
        right[:15],
    ]


def pointers(_: Random, packet: bytes, question: bytes) -> list[bytes]:
    """A chain of pointers, and records that are called what it ends in; an OPT record that is not last."""
    return [reply(packet, question, _chained(len(question)), 1601, additional=1601)]


@cache
def _chained(question: int) -> bytes:
    start = 12 + question + 12
    chain = b"\xc0\x0c" + b"".join(struct.pack("!H", 0xC000 | at) for at in range(start, start + 12000, 2))
    end = struct.pack("!H", 0xC000 | start + 12000)
    many = record(end, 1, POISON) * 1600
    return record(b"\xc0\x0c", 65280, chain) + many + record(b"\0", 41, b"") + many


def garbage(rng: Random, packet: bytes, question: bytes) -> list[bytes]:
    return [reply(packet, question, rng.randbytes(rng.randrange(1, 3000)), rng.randrange(1, 9))]


def flipped(rng: Random, packet: bytes, question: bytes) -> list[bytes]:
    whole = bytearray(reply(packet, question, record(b"\xc0\x0c", 1, honest(question[:-5]))))
    whole[rng.randrange(2, len(whole))] ^= 1 << rng.randrange(8)
    return [bytes(whole[: rng.randrange(12, len(whole) + 1)])]


def aliases(rng: Random, packet: bytes, question: bytes) -> list[bytes]:
    """Aliases in a circle, or with labels that are no text."""
    other = b"\5\xff\xfe. @" + question[:-4]
    rows = record(b"\xc0\x0c", 5, other) + record(other, 5, question[:-4]) + record(b"\xc0\x0c", 65, rng.randbytes(20))
    return [reply(packet, question, rows, 3)]


def many(_: Random, packet: bytes, question: bytes) -> list[bytes]:
    rows = b"".join(record(b"\xc0\x0c", 1, struct.pack("!I", number)) for number in range(4000))
    return [reply(packet, question, rows, 4000)]


def refused(rng: Random, packet: bytes, question: bytes) -> list[bytes]:
    return [reply(packet, question, b"", flags=0x8180 | rng.randrange(16))]


def silent(*_: object) -> list[bytes]:
    return []


HOSTILE = (pointers, garbage, flipped, aliases, many, refused, silent, silent)


async def hang_ups(world: World, server: Scripted) -> None:
    """Connections end at any moment; what the upstream was asked is forgotten."""
    rng = world.random("hang ups")
    while world.storming:
        await asyncio.sleep(rng.random())
        server.hang_up()
        world.counts["questions to the upstream"] += len(server.seen)
        server.seen.clear()
        server.clients.clear()
