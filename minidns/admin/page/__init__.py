"""The page: files of this folder, and `/` for browsers and for programs.

It needs nothing from anywhere else and no build step: `index.html` loads `main.js`, a module that loads the others. The
Content-Security-Policy lets nothing else in, and no text become markup (Trusted Types).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minidns.server.http.endpoint import Asked, Endpoint, RefusedError, Reply

_FOLDER = Path(__file__).parent
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


def endpoints(others: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The page's files, and `/`, which lists the `others` to programs."""
    listing = "\n".join(other.line() for other in others)

    async def on_root(asked: Asked) -> Reply:
        if asked.wants_page:
            return _file(_FOLDER / "index.html")
        return Reply(f"minidns; a browser shows a page here. Endpoints:\n{listing}\n")

    files = {file.name: file for file in _FOLDER.iterdir() if file.suffix in _TYPES}

    async def on_file(asked: Asked) -> Reply:
        if (file := files.get(asked.query["file"])) is None:
            raise RefusedError(404, f"the page has no file {asked.query['file']!r}")
        return _file(file)

    return (
        Endpoint(path="/", doc="the page for browsers, the list of endpoints for programs", handler=on_root),
        Endpoint(path="/page/{file}", doc="a file of the page", parameters={"file": "its name"}, handler=on_file),
    )


def _file(file: Path) -> Reply:
    # Some kilobytes each: read as they are now, so that an edit shows with the next load.
    return Reply(file.read_bytes(), _TYPES[file.suffix], headers=_HEADERS)
