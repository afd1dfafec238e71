"""`autopath`."""

from __future__ import annotations

from pathlib import Path

from minidns.config.corefile.options import Context, no_block, zones
from minidns.config.corefile.tree import Line
from minidns.config.plugins.autopath import Autopath
from minidns.config.values import ConfigError, ZoneName

RESOLV_CONF = Path("/etc/resolv.conf")


def autopath(line: Line, context: Context) -> Autopath:
    """`autopath [ZONE...] FILE|@kubernetes`. As in CoreDNS, another plugin behind the @ has no search list to give."""
    no_block(line)
    if not line.args:
        raise ConfigError("write: autopath [ZONE...] @kubernetes, or the path of a resolv.conf")
    *names, source = line.values
    served = zones(names) or context.zones
    if source == "@kubernetes":
        return Autopath(
            zones=served, kubernetes=True, search=_search(context.expander.path(str(RESOLV_CONF)), lax=True)
        )
    if source.startswith("@"):
        return Autopath(zones=served)
    return Autopath(zones=served, search=_search(context.expander.path(source)))


def _search(path: Path, *, lax: bool = False) -> tuple[ZoneName, ...]:
    """The last search list of a resolv.conf(5). lax: a file that cannot be read has none."""
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except (OSError, ValueError) as error:
        if lax:
            return ()
        raise ConfigError(f"cannot read the search list: {error}") from None
    found = [words[1:] for words in lines if len(words) > 1 and words[0] in ("search", "domain")]
    return zones(found[-1]) if found else ()
