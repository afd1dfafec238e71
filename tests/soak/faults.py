"""What is done to the server itself: other configurations, and workers that are killed or hang."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic

from tests.soak.world import World

COREFILE = """\
.:{port} {{
    bind 127.0.0.1
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        endpoint {api}
        startup_timeout 2s
        pods {pods}
        ttl {ttl}
        fallthrough in-addr.arpa ip6.arpa
    }}
    transfer {{
        to *
    }}
    forward . 127.0.0.1:{upstream} {{
        max_fails 0
    }}
    {more}
}}
"""
#: What a configuration may have beside the zone; the first is that of the start and of the end.
BESIDE = (
    "cache 5 {\n success 500\n denial 500\n }",
    "",
    "cache 1\n loadbalance\n errors",
    "rewrite name regex (.*)\\.rewritten\\.test {1}.good.test",
)
BROKEN = ("nonsense", "forward", "rewrite name regex ( x", "}")


def corefile(world: World, *, port: int = 0, pods: str = "verified", ttl: int = 30, more: str = BESIDE[0]) -> str:
    return COREFILE.format(port=port, api=world.api.url, upstream=world.upstream, pods=pods, ttl=ttl, more=more)


def configure(world: World, text: str) -> None:
    """Have the server read a configuration."""
    file = world.folder / "Corefile"
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").replace(file)
    world.running.process.send_signal(signal.SIGHUP)


async def reloads(world: World) -> None:
    rng = world.random("reloads")
    while world.storming:
        await asyncio.sleep(0.2 + rng.random() * 1.5)
        more = rng.choice(BROKEN) if rng.random() < 0.2 else rng.choice(BESIDE)
        pods = rng.choice(("verified", "verified", "insecure", "disabled"))
        world.reloaded.append(monotonic())
        configure(world, corefile(world, pods=pods, ttl=rng.choice((5, 30, 30)), more=more))
        world.counts["reloads"] += 1


def children(process: int) -> list[int]:
    return sorted(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


async def kills(world: World) -> None:
    """Some worker is killed, or hangs from now on."""
    rng = world.random("kills")
    while world.storming and world.workers > 1:
        await asyncio.sleep(0.5 + rng.random() * 2)
        workers = children(world.running.process.pid)
        if world.storming and workers:
            number = rng.choice((signal.SIGKILL, signal.SIGSTOP))
            with suppress(ProcessLookupError):
                os.kill(rng.choice(workers), number)
                world.killed.append(monotonic())
                world.counts[f"workers given {number.name}"] += 1
