"""Go's templates, as records use them."""

from __future__ import annotations

import pytest

from minidns.config.plugins.gotemplate import RenderError, Struct, parse
from minidns.config.values import ConfigError

VALUES = Struct(
    Name="ip-10-1.example.",
    Match=["ip-10-1", "10", "1"],
    Group={"a": "10", "0": "ip-10-1"},
    Question=Struct(Name="IP-10-1.example."),
    Meta=lambda _: "",
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("{{ .Name }} 60 IN A {{ index .Match 1 }}.{{ .Group.a }}", "ip-10-1.example. 60 IN A 10.10"),
        ("{{ .Question.Name }}|{{ .Group.none }}|{{ .Meta `k` }}", "IP-10-1.example.||"),
        ("{{ if .Group.none }}x{{ else }}y{{ end }}", "y"),
        ("{{ if .Group.none }}x{{ else if eq .Group.a `9` `10` }}y{{ else }}z{{ end }}", "y"),
        ("{{ with .Group.a }}{{ . }} {{ $.Name }}{{ end }}", "10 ip-10-1.example."),
        ("a {{- /* nothing */ -}} b", "ab"),
        (
            "{{ $x := parseInt .Group.a 10 8 }}{{ printf `%02x %d %v %q` $x $x .Name `q` }}",
            '0a 10 ip-10-1.example. "q"',
        ),
        ("{{ .Group.a | printf `%s.` | len }}{{ slice .Name 0 2 }}{{ slice .Name 3 }}", "3ip10-1.example."),
        (
            "{{ and 1 0 }} {{ or 0 `x` }} {{ not true }} {{ lt 1 2 }} {{ ge 1 2 }} {{ ne 1 2 }}",
            "0 x false true false true",
        ),
        ("{{ .Match }} {{ .Group }} {{ print 1 `a` }}", "[ip-10-1 10 1] map[0:ip-10-1 a:10] 1a"),
        ("{{ (index .Match 0) }}{{ 'a' }}", "ip-10-197"),
    ],
)
def test_what_a_template_gives(text: str, shown: str) -> None:
    assert parse(text).render(VALUES) == shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ .Name", "a {{ is never closed"),
        ("{{ end }}", "'end' ends nothing"),
        ("{{ if .Name }}", "if without end"),
        ("{{ }}", "an action with nothing in it"),
        ("{{ range .Match }}{{ end }}", "'range' is no function that is known"),
        ("{{ .Name ) }}", "')' is not understood here"),
        ("{{ (.Name }}", "a ( is never closed"),
        ("{{ %% }}", "is not understood"),
        ("{{ if 1 }}" * 60 + "{{ end }}" * 60, "nested too deep"),
    ],
)
def test_what_is_no_template(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ .Nothing }}",
        "{{ .Name.Nothing }}",
        "{{ index .Match 9 }}",
        "{{ index .Match -1 }}",
        "{{ slice .Name 9 99 }}",
        "{{ parseInt `300` 10 8 }}",
        "{{ parseInt `x` 10 8 }}",
        "{{ printf `%999999d` 1 }}",
        "{{ lt 1 `a` }}",
        "{{ .Name 1 }}",
        "{{ len }}",
        "{{ $nothing }}",
    ],
)
def test_what_cannot_be_rendered(text: str) -> None:
    template = parse(text)
    with pytest.raises(RenderError):
        template.render(VALUES)
