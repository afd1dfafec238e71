"""The cluster as a map: namespaces, their Services, what is behind each, and the names that each thing gives. Pure.

    index = Index(zone)
    for _ in index.catch_up(): ...          # steps, so that the caller can let others in between
    namespaces(index)                       # a page of namespaces
    services(index, "default")              # a page of Services
    behind(index, ("default", "web"))       # a page of its endpoints

The index follows changes (`Index.changed`) at the cost of the change; a page costs what is on it.
"""

from minidns.views.map.index import Index, Line
from minidns.views.map.pages import behind, namespaces, services
from minidns.views.map.records import at_name
from minidns.views.map.search import search

__all__ = ["Index", "Line", "at_name", "behind", "namespaces", "search", "services"]
