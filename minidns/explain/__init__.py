"""Why a name answers as it does, for people and for programs. Pure: everything said here is read from the zone index.

    explanation = explain(zone, "web-2.nginx.default.svc.cluster.local")
    render(explanation, rich.console.Console())     # for people
    to_json(explanation)                            # for programs; `json_schema()` describes it

`explain_search` walks a pod's search list first, as the pod's resolver would; `search_steps` is the same in steps.
"""

from minidns.explain.explanation import explain
from minidns.explain.ground import Ground
from minidns.explain.question import parse_name, parse_type, usual_type
from minidns.explain.search import BOTH, NDOTS, Libc, at_once, explain_search, parse_libc, parse_ndots, search_steps
from minidns.explain.text import render
from minidns.explain.types import Explanation, SearchExplanation, json_schema, to_json

__all__ = [
    "BOTH", "NDOTS", "Explanation", "Ground", "Libc", "SearchExplanation", "at_once", "explain", "explain_search",
    "json_schema", "parse_libc", "parse_name", "parse_ndots", "parse_type", "render", "search_steps", "to_json",
    "usual_type",
]  # fmt: skip
