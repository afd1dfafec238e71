"""`rewrite`."""

from __future__ import annotations

from minidns.config.corefile.options import Context, Fields, choice, no_block, unknown
from minidns.config.corefile.tree import Line
from minidns.config.plugins.rewrite import Rewrite
from minidns.config.values import ConfigError, zone_name

MATCHES = ("exact", "prefix", "suffix", "substring", "regex")


def rewrite(line: Line, _context: Context) -> Rewrite:
    """`rewrite [stop|continue] name [MATCH] FROM TO [answer ...]`, on one line or as a block."""
    words = line.values
    stop = not (words and words[0] == "continue")
    if words and words[0] in ("stop", "continue"):
        words.pop(0)
    for item in line.block or ():
        no_block(item)
        words += [item.name, *item.values]
    if not words:
        raise ConfigError("write: rewrite [stop|continue] name [exact|prefix|suffix|substring|regex] FROM TO")
    field = choice(words.pop(0), ["name"], "field of rewrite")
    match = words.pop(0) if len(words) > 2 and words[0] in MATCHES else "exact"
    if len(words) < 2:
        raise ConfigError(f"write: rewrite {field} {match} FROM TO")
    pattern, replacement, *rest = words
    return Rewrite(
        match=match,  # type: ignore[arg-type]  # one of MATCHES
        pattern=_pattern(match, pattern),
        replacement=_pattern(match, replacement),
        stop=stop,
        **_answer_rules(rest),
    )


def _pattern(match: str, text: str) -> str:
    """Names compare in lower case and with the final dot; a regex is left alone: \\D is not \\d."""
    if match == "exact":
        return zone_name(text)
    if match == "regex":
        return text
    return text.lower().removesuffix(".") + "." if match == "suffix" else text.lower()


def _answer_rules(words: list[str]) -> Fields:
    """`answer auto`, `[answer] name FROM TO`, `[answer] value FROM TO`, any number of them."""
    fields: Fields = {"answer_auto": False, "answer_names": (), "answer_values": ()}
    if words and words[0] != "answer":
        raise unknown(words[0], ["answer"], "word after a rewritten name")
    while words:
        if words[0] == "answer":
            words = words[1:]
        kind = choice(words[0] if words else "", ("auto", "name", "value"), "kind of answer rewrite")
        # `answer name auto` is how CoreDNS's documentation writes `answer auto` at one place
        if kind == "auto" or words[1:2] == ["auto"]:
            fields["answer_auto"] = True
            words = words[1 if kind == "auto" else 2 :]
            continue
        if len(words) < 3:
            raise ConfigError(f"write: answer {kind} FROM TO")
        fields[f"answer_{kind}s"] += ((words[1], words[2]),)
        words = words[3:]
    return fields
