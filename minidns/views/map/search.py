"""Finding things on the map: Services by name, and by the pods and addresses behind them."""

from __future__ import annotations

import string
from collections.abc import Generator

from minidns.core import names
from minidns.core.model import Endpoint, Key
from minidns.core.why import shown
from minidns.views.map.index import Index
from minidns.views.map.pages import PAGE, Services, service_line

#: Names that are looked at in one step.
_STEP = 256
_OF_ADDRESSES = frozenset(string.hexdigits + ".:")


def search(index: Index, text: str) -> Generator[None, None, Services]:
    """Services whose `NAMESPACE/NAME` holds the text, and those with such a pod or address behind them; in steps. The
    first page of them: a person who wants more names it better."""
    text = text.strip().lower()
    by_address = bool(text) and _OF_ADDRESSES.issuperset(text) and ("." in text or ":" in text)
    found: dict[Key, str] = {}
    for namespace in list(index.namespaces):
        for at, name in enumerate(list(index.services.get(namespace, ()))):
            if not at % _STEP:
                yield
            if text in f"{namespace}/{name}".lower() and len(found) <= PAGE:
                found[namespace, name] = ""
    for key in list(index.lines):
        service = index.zone.cluster.service(key)
        ips = service.cluster_ips if service and by_address else ()
        hit = next((one for one in map(names.address_text, ips) if one.startswith(text)), None)
        if hit and len(found) <= PAGE:
            found.setdefault(key, hit)
        yield
    for slice_ in index.slices:
        key = slice_.namespace, slice_.service
        if len(found) > PAGE:
            break
        if key in index.lines and key not in found:
            hit = next(filter(None, (_hit(one, text, by_address=by_address) for one in slice_.endpoints)), None)
            if hit:
                found[key] = shown(hit)
        yield
    in_order = sorted(found, key=lambda key: (found[key] != "", key))
    page = [key for key in in_order if key in index.lines][:PAGE]
    lines = tuple(service_line(index, key) for key in page)
    return Services(lines, None if len(found) > PAGE else len(page), None, tuple(found[key] for key in page))


def _hit(endpoint: Endpoint, text: str, *, by_address: bool) -> str | None:
    """What of an endpoint the text was found in."""
    for name in (endpoint.pod, endpoint.hostname):
        if name and text in name:
            return name
    addresses = map(names.address_text, endpoint.addresses) if by_address else ()
    return next((address for address in addresses if address.startswith(text)), None)
