"""`rewrite`."""

from __future__ import annotations

from minidns.config.corefile.options import Context, Fields, choice, no_block, rcode_number, type_number, unknown
from minidns.config.corefile.tree import Line
from minidns.config.plugins.rewrite import AnyRewrite, Rewrite, RewriteMatch, RewriteRcode, RewriteTtl, RewriteType
from minidns.config.values import ConfigError, number, zone_name

_MAX_TTL = 0x7FFFFFFF
MATCHES = ("exact", "prefix", "suffix", "substring", "regex")
#: What of CoreDNS's rewrite is not here, and why.
_NOT_HERE = {
    "edns0": "upstreams are asked with minidns's own EDNS, without options",
    "class": "no class but IN is answered",
    "cname": "an alias keeps its target",
}


def rewrite(line: Line, _context: Context) -> AnyRewrite:
    """`rewrite [stop|continue] name|type|ttl|rcode ...`, on one line or as a block."""
    words = line.values
    for item in line.block or ():
        no_block(item)
        words += [item.name, *item.values]
    mode = words.pop(0).lower() if words and words[0].lower() in ("stop", "continue") else ""
    stop = mode != "continue"
    if not words:
        raise ConfigError("write: rewrite [stop|continue] name [exact|prefix|suffix|substring|regex] FROM TO")
    field = words.pop(0).lower()
    if field in _NOT_HERE:
        raise ConfigError(f"rewrite {field} is not here: {_NOT_HERE[field]}")
    choice(field, ["name", "type", "ttl", "rcode"], "field of rewrite")
    if field == "type":
        if len(words) != 2:
            raise ConfigError("write: rewrite type FROM TO, as in `rewrite type ANY HINFO`")
        return RewriteType(before=type_number(words[0].upper()), after=type_number(words[1].upper()), stop=stop)
    match: RewriteMatch = "exact"
    if len(words) > (3 if field == "rcode" else 2):
        match = choice(words.pop(0).lower(), MATCHES, "match of rewrite")  # type: ignore[assignment]
    if field == "ttl":
        return _ttl(match, words, stop)
    if field == "rcode":
        return _rcode(match, words, stop)
    if len(words) < 2:
        raise ConfigError(f"write: rewrite {field} {match} FROM TO")
    pattern, replacement, *rest = words
    return Rewrite(
        match=match,
        pattern=_pattern(match, pattern),
        replacement=_pattern(match, replacement),
        stop=stop,
        **_answer_rules(rest),
    )


def _ttl(match: RewriteMatch, words: list[str], stop: bool) -> RewriteTtl:
    if len(words) != 2:
        raise ConfigError(f"write: rewrite ttl {match} NAME SECONDS, or LOWEST-HIGHEST seconds")
    low, dash, high = words[1].partition("-")
    lowest = number(low or "0", "a TTL", 0, _MAX_TTL)
    highest = lowest if not dash else number(high or str(_MAX_TTL), "a TTL", 0, _MAX_TTL)
    return RewriteTtl(match=match, pattern=_pattern(match, words[0]), low=lowest, high=highest, stop=stop)


def _rcode(match: RewriteMatch, words: list[str], stop: bool) -> RewriteRcode:
    if len(words) != 3:
        raise ConfigError(f"write: rewrite rcode {match} NAME FROM TO, as in `rewrite rcode a.org SERVFAIL NXDOMAIN`")
    before, after = (int(word) if word.isdigit() and int(word) < 16 else rcode_number(word) for word in words[1:])
    return RewriteRcode(match=match, pattern=_pattern(match, words[0]), before=before, after=after, stop=stop)


def _pattern(match: str, text: str) -> str:
    """Names compare in lower case; to whatever is part of one, CoreDNS adds the final dot. A regex is left alone."""
    if match == "exact":
        return zone_name(text)
    return text if match == "regex" else text.lower().removesuffix(".") + "."


def _answer_rules(words: list[str]) -> Fields:
    """`answer auto`, `[answer] name FROM TO`, `[answer] value FROM TO`, any number of them."""
    fields: Fields = {"answer_auto": False, "answer_names": (), "answer_values": ()}
    if words and words[0].lower() != "answer":
        raise unknown(words[0], ["answer"], "word after a rewritten name")
    while words:
        if words[0].lower() == "answer":
            words = words[1:]
        kind = choice(words[0].lower() if words else "", ("auto", "name", "value"), "kind of answer rewrite")
        # `answer name auto` is how CoreDNS's documentation writes `answer auto` at one place
        if kind == "auto" or words[1:2] == ["auto"]:
            fields["answer_auto"] = True
            words = words[1 if kind == "auto" else 2 :]
            continue
        if len(words) < 3:
            raise ConfigError(f"write: answer {kind} FROM TO")
        fields[f"answer_{kind}s"] += ((words[1], words[2]),)
        words = words[3:]
    if fields["answer_auto"] and fields["answer_names"]:
        raise ConfigError("answer auto and answer name both change the names of the answer: keep one of them")
    return fields
