"""An upstream that means harm, a process of its own: it prints its port, and ends with its input.

Names below `hostile.test` that it is asked for over UDP have to be asked for over TCP. There it answers with 63 KB: a
chain of pointers, records that are called what the chain ends in, and an OPT record in the midst of them. Other names
have an address, for a second.
"""

from __future__ import annotations

import asyncio
import random
import sys

from tests.soak.upstream import honest, pointers, record, reply
from tests.support.neighbours import scripted


def answer(packet: bytes, transport: str) -> list[bytes]:
    end = packet.index(b"\0", 12)
    question = packet[12 : end + 5]
    if b"\7hostile" not in question.lower():
        return [reply(packet, question, record(b"\xc0\x0c", 1, honest(question[:-5])))]
    if transport == "udp":
        return [reply(packet, question, b"", flags=0x8380)]
    return pointers(random.Random(), packet, question)


async def main() -> None:
    async with scripted(answer) as server:
        print(server.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
