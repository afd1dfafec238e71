"""Clients that mean well: every question of theirs is to be answered, by a message that an independent reader takes."""

from __future__ import annotations

import asyncio
import socket
from random import Random
from time import monotonic

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from tests.soak import upstream
from tests.soak.api import question
from tests.soak.world import PATIENCE, UPSTREAM_HELD, ZONE_HELD, World
from tests.support.client import query

#: The first ask mostly for the cluster's names, the others mostly for an upstream's.
UDP_CLIENTS, TCP_CLIENTS, INSIDE = 12, 4, 4
#: Questions that one socket asks before there is another: its port chooses the worker.
_EACH = 40


def ask(rng: Random, outside: float) -> tuple[str, str, float]:
    """A name, a type, and for how many seconds it may be in the hands of one process. outside: the share that an
    upstream is asked for, which takes five seconds where it is silent."""
    if rng.random() < outside:
        zone = "hostile.test" if rng.random() < outside else "good.test"
        return f"n{rng.randrange(3000)}.{zone}", rng.choice(("A", "A", "AAAA")), UPSTREAM_HELD
    return *question(rng), ZONE_HELD


async def over_udp(world: World, number: int) -> None:
    """One question after the other."""
    rng, loop = world.random(f"udp {number}"), asyncio.get_running_loop()
    outside = 0.001 if number < INSIDE else 0.7
    while world.storming:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", world.running.port))
            for _ in range(_EACH):
                if world.is_calm:
                    return
                name, type_, held = ask(rng, outside)
                packet = query(name, type_, edns=rng.choice((None, 1232, 4096)))
                since = monotonic()
                try:
                    async with asyncio.timeout(PATIENCE):
                        await loop.sock_sendall(sock, packet)
                        while (answer := await loop.sock_recv(sock, 65535))[:2] != packet[:2]:
                            world.found(f"an answer to {name} {type_} that was not asked for: {answer.hex()}")
                except (TimeoutError, OSError):
                    world.missing(f"{name} {type_} over UDP", since, held)
                    break
                world.counts["answers over UDP"] += 1
                check(world, packet, answer)


async def over_tcp(world: World, number: int) -> None:
    """Several questions at once on a connection, whose answers may come in any order."""
    rng = world.random(f"tcp {number}")
    while world.storming:
        asked = [ask(rng, 0.05) for _ in range(rng.randrange(1, 12))]
        packets = {packet[:2]: packet for packet in (query(name, type_) for name, type_, _ in asked)}
        since, held = monotonic(), max(held for *_, held in asked)
        try:
            async with asyncio.timeout(PATIENCE):
                await _exchange(world, packets)
        except TimeoutError:
            world.missing(f"{len(packets)} questions over TCP", since, held)
        except (asyncio.IncompleteReadError, OSError):
            world.broken(f"{len(packets)} questions over TCP", since, held)
        await asyncio.sleep(0.01)


async def _exchange(world: World, packets: dict[bytes, bytes]) -> None:
    """Removes what is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.running.port)
    try:
        writer.writelines(len(packet).to_bytes(2, "big") + packet for packet in packets.values())
        while packets:
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            packet = packets.pop(answer[:2], None)
            if packet is None:
                world.found(f"an answer over TCP that was not asked for: {answer.hex()}")
                return
            world.counts["answers over TCP"] += 1
            check(world, packet, answer)
    finally:
        writer.transport.abort()


def check(world: World, packet: bytes, answer: bytes) -> None:
    """The answer is well-formed and to the question; nobody is told what a forger said."""
    asked = dns.message.from_wire(packet)
    name = str(asked.question[0].name)
    try:
        # A forwarder hands on what it is no judge of: data of types that it does not know.
        said = dns.message.from_wire(answer, continue_on_error=name.endswith(".hostile.test."))
    except (dns.exception.DNSException, ValueError) as error:
        world.found(f"{packet.hex()} is answered by {answer.hex()}: {error!r}")
        return
    world.counts[f"{dns.rcode.to_text(said.rcode())}"] += 1
    if said.question != asked.question:
        world.found(f"{asked.question} is answered by {said.question}")
    if upstream.POISON in answer and ".good." in name:
        world.found(f"{name} is answered by a forger")
    if name.endswith(".good.test.") and said.answer and asked.question[0].rdtype == dns.rdatatype.A:
        right = socket.inet_ntoa(upstream.honest((asked.question[0].name.to_wire() or b"")[:-1]))
        if [str(rdata) for rrset in said.answer for rdata in rrset] != [right]:
            world.found(f"{name} is {said.answer}, not {right}")
