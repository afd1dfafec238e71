"""docs/admin.md says of every endpoint what the table of endpoints says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from minidns.admin import table
from minidns.admin.running import Running
from minidns.server.http.endpoint import Endpoint

TABLE = table.endpoints(cast(Running, None))
TEXT = (Path(__file__).parents[2] / "docs" / "admin.md").read_text()
SECTIONS = {part.partition("\n")[0]: part.partition("\n")[2] for part in TEXT.split("\n## ")[1:]}


def test_every_endpoint_has_a_section_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(f"{endpoint.method} {endpoint.path}" for endpoint in TABLE)


@pytest.mark.parametrize("endpoint", TABLE, ids=lambda endpoint: endpoint.path)
def test_its_section_says_what_it_does_and_takes(endpoint: Endpoint) -> None:
    text = SECTIONS[f"{endpoint.method} {endpoint.path}"]
    first = " ".join(text.strip().split("\n\n")[0].split())
    assert first.lower().startswith(f"{endpoint.doc}.".lower())
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text.partition("\n\n```console")[0], re.MULTILINE)
    assert dict(rows) == dict(endpoint.parameters)
    assert "curl" in text, "an example"
