"""Explanations for people, on a terminal or in a file. Colours are the console's business.

Every text in an explanation is escaped already; here it goes out as `rich.text.Text`, so that what looks like markup is
shown as it is. Lines are not wrapped: names and commands can be copied whole. On a terminal that is too narrow for a
table, its rows take several lines each, whose cells are whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from minidns.explain.behind import number
from minidns.explain.types import Explanation, Port, SearchExplanation, Service, Slice

_TREES = {"svc": "the tree of Services", "pod": "the tree of pods"}
_STYLES = {True: "bold green", False: "bold red", None: "bold yellow"}


def render(explanation: Explanation | SearchExplanation, console: Console) -> None:
    """Print an explanation."""
    if isinstance(explanation, SearchExplanation):
        _search(explanation, console)
        explanation = explanation.explanation
    _head(explanation, console)
    table(console, "read as", [(one.text, _role(one.text, one.role)) for one in explanation.labels])
    if explanation.service:
        _service(explanation.service, console)
    _records(explanation, console)
    _list(console, "also", explanation.facts)
    _list(console, "next", explanation.steps)
    _list(console, "see also" if explanation.resolves else "did you mean", explanation.suggestions)


def _head(explanation: Explanation, console: Console) -> None:
    outcome = _outcome(explanation.rcode, explanation.record_count)
    question = f"{explanation.name} {explanation.type}"
    _print(console, Text.assemble((question, "bold"), ": ", (outcome, _STYLES[explanation.resolves])))
    _print(console, Text(f"  {explanation.sentence}"))
    if explanation.negative_ttl is not None:
        _print(console, Text(f"  a resolver may keep this answer for {explanation.negative_ttl} s", "dim"))


def _role(text: str, role: str) -> str:
    return _TREES.get(text, role) if role == "tree" else role


_KINDS = {
    "missing": "no Service",
    "headless": "headless Service",
    "ClusterSetIP": "ServiceImport",
    "headless import": "headless ServiceImport",
    "missing import": "no ServiceImport",
}


def _service(service: Service, console: Console) -> None:
    kind = _KINDS.get(service.type, f"{service.type} Service")
    virtual = "ClusterSetIP" if service.type == "ClusterSetIP" else "cluster IP"
    rows = [("selector", service.selector), (virtual, ", ".join(service.cluster_ips))]
    rows += [("leads to", service.external_name or ""), ("ports", _ports(service.ports))]
    rows += [("also", "publishNotReadyAddresses: endpoints count as ready at once")] * service.publish_not_ready
    if service.type != "ExternalName":
        terminating = f", {service.terminating_count} terminating" if service.terminating_count else ""
        rows.append(("endpoints", f"{service.endpoint_count}, {service.ready_count} ready{terminating}"))
    table(console, f"{kind} {service.namespace}/{service.name}", [row for row in rows if row[1]])
    for slice_ in service.slices:
        _slice(service, slice_, console)
    if more := service.slice_count - len(service.slices):
        _print(console, Text(f"  and {number(more, 'more slice')}"))


def _slice(service: Service, slice_: Slice, console: Console) -> None:
    title = (
        f"EndpointSlice {service.namespace}/{slice_.name}: {number(slice_.endpoints, 'endpoint')}, {slice_.ready} ready"
    )
    rows: list[tuple[str, ...]] = [
        (
            ", ".join(one.labels),
            ", ".join(one.addresses),
            one.state,
            f"pod {one.pod}" if one.pod else "no pod",
            f"named after its {one.named_after}",
        )
        for one in service.endpoints
        if one.slice == slice_.name
    ]
    rows += [("...", f"{more} more")] if (more := slice_.endpoints - len(rows)) else []
    table(console, f"{title}; ports {_ports(slice_.ports) or 'none'}", rows)


def _ports(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"{p.name or '(unnamed)'} {'any' if p.number is None else p.number}/{p.protocol}" for p in ports)


def _records(explanation: Explanation, console: Console) -> None:
    records = explanation.records
    rows: list[tuple[str, ...]] = [
        (one.name, str(one.ttl), one.type, one.data, f"from {one.source}") for one in records
    ]
    rows += [("...", f"{more} more")] if (more := explanation.record_count - len(records)) else []
    table(console, "records", rows)


def _search(search: SearchExplanation, console: Console) -> None:
    dot = "." if search.absolute else ""
    _print(console, Text(f"{search.name}{dot} in a pod of namespace {search.namespace}", "bold"))
    _print(console, Text(f"  search {' '.join(search.search)}"))
    _print(console, Text(f"  {search.libc}: {_order(search)}"))
    rows = [
        (
            one.name,
            ", ".join(f"{outcome.type} {_outcome(outcome.rcode, outcome.record_count)}" for outcome in one.outcomes),
            one.sentence + (f" (sent {one.sent} times)" if one.sent > 1 else ""),
        )
        for one in search.candidates
    ]
    table(console, number(search.queries, "query"), rows)
    for rule in search.rules:
        _print(console, Text(f"  {rule}", "dim"))
    if search.with_dot is not None:
        whole, costs = search.candidates[-1].name, number(search.with_dot, "query")
        _print(console, Text(f"  with a final dot it costs {costs} instead of {search.queries}: {whole}."))
    _print(console, Text())


def _order(search: SearchExplanation) -> str:
    if search.absolute:
        return "the final dot ends the search list: asked for as it is"
    order = "the search list is tried first"
    if search.as_it_is_first:
        order = "tried as it is" + (", and nothing else" if search.libc == "musl" else " first, then the search list")
    return f"{number(search.dots, 'dot')}, ndots {search.ndots}: {order}"


def _outcome(rcode: str | None, count: int) -> str:
    if rcode == "NOERROR":
        return f"{rcode}, {number(count, 'record')}" if count else "NODATA"
    return rcode or "not answered here"


def _list(console: Console, title: str, lines: Sequence[str]) -> None:
    table(console, title, [(f"- {line}",) for line in lines])


def table(console: Console, title: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under a title, their columns aligned; nothing without rows. Texts are escaped already."""
    if not rows:
        return
    _print(console, Text(title, "bold"))
    columns = max(map(len, rows))
    widths = [max(cell_len(row[at]) for row in rows if len(row) > at) for at in range(columns)]
    if columns > 1 and console.is_terminal and sum(widths) + 2 * columns > console.width:
        for row in rows:
            _print(console, Text("\n".join(_packed(row, console.width))))
        return
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=False) if width)
        _print(console, Text("  " + "  ".join(cells).rstrip()))


def _packed(row: Sequence[str], width: int) -> Iterator[str]:
    """The cells of a row in lines of that width, as many in each as fit whole."""
    line = ""
    for cell in filter(None, row):
        if line and cell_len(line) + 2 + cell_len(cell) > width:
            yield line
            line = f"      {cell}"
        else:
            line += f"  {cell}"
    yield line


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True)
