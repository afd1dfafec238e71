"""226 small Corefiles, by plugin and option: minidns equals CoreDNS 1.14.7, or shows a difference made on purpose.

`corefiles/differences.json` names each question that is answered otherwise, with the numbers of docs/coredns.md. Each
number is a function below that makes CoreDNS's row ours, so that the list cannot excuse anything else.
"start" stands for a Corefile that minidns refuses and CoreDNS does not. `python -m tests.whole.test_corefiles` shows
where rows differ, and writes that list as it is now.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.support.coredns.asking import Row
from tests.support.coredns.cases import FOLDER, Case, cases, play, recorded_cluster

#: Cases under way at once: they wait for TTLs more than they work.
AT_ONCE = 16
Lists = dict[str, dict[str, list[int]]]


def more_types(want: Row, _: Row) -> Row:
    """1, 2: a name that exists, exists for every type, and so do those above it."""
    return {**want, "rcode": "NOERROR"}


def no_such_name(want: Row, _: Row) -> Row:
    """1: SOA of a name that does not exist."""
    return {**want, "rcode": "NXDOMAIN"}


def weights(want: Row, got: Row) -> Row:
    """4: SRV weights count records."""
    total = len([line for line in got["answer"] if " SRV " in line])
    mine = [re.sub(r" SRV 0 \d+ ", f" SRV 0 {100 // max(total, 1)} ", line) for line in want["answer"]]
    return {**want, "answer": sorted(mine)}


def alias(want: Row, got: Row) -> Row:
    """5: an ExternalName is a real CNAME: shown whatever its target is."""
    chain = [line for line in got["answer"] if re.search(r"\.svc\.\S+ \d+ CNAME ", line)]
    if not chain:
        return want
    rcode = "NOERROR" if chain and want["rcode"] == "NXDOMAIN" and got["rcode"] == "NOERROR" else want["rcode"]
    return {**want, "rcode": rcode, "answer": sorted({*want["answer"], *chain}), "authority": got["authority"]}


def negative_ttl(want: Row, _: Row) -> Row:
    """7: negative answers of the zone live for 5 s at most."""

    def capped(line: str) -> str:
        match = re.fullmatch(r"(\S+) (\d+) SOA (ns\.dns\..*) (\d+)", line)
        if not match:
            return line
        # A rule for TTLs may have had the last word.
        ttl = min(5, int(match[2])) if match[2] == match[4] else int(match[2])
        return f"{match[1]} {ttl} SOA {match[3]} {min(5, int(match[4]))}"

    return {**want, "authority": [capped(line) for line in want["authority"]]}


def all_addresses(want: Row, got: Row) -> Row:
    """11: pods verified knows all addresses of a pod."""
    if want["rcode"] != "NXDOMAIN" or not re.search(r"-\S*\.pod\.\S+ AAAA", want["q"]):
        return want
    return {**want, "rcode": "NOERROR", "answer": got["answer"], "authority": []}


def reasons(want: Row, got: Row) -> Row:
    """10: Extended DNS Errors."""
    if not want.get("edns") or not got.get("edns"):
        return want
    others = [option for option in want["edns"]["options"] if not option.startswith("15=")]
    mine = [option for option in got["edns"]["options"] if option.startswith("15=")]
    return {**want, "edns": {**want["edns"], "options": others + mine}}


def refused(want: Row, _: Row) -> Row:
    """12: a name that nobody here may answer is REFUSED, not SERVFAIL."""
    return {**want, "rcode": "REFUSED"} if want["rcode"] == "SERVFAIL" and not want["answer"] else want


def recursion(want: Row, got: Row) -> Row:
    """13: RA says whether questions are forwarded, on every answer of a server block."""
    flags = [flag for flag in want["flags"].split() if flag != "RA"]
    return {**want, "flags": " ".join([*flags, "RA"] if "RA" in got["flags"].split() else flags)}


def edns(want: Row, _: Row) -> Row:
    """14: an answer has an OPT record when the question had one, with the question's DO and size."""
    if "noedns" in want["q"]:
        return {**want, "edns": None}
    if not want.get("edns"):
        return want
    asked = re.search(r"bufsize=(\d+)", want["q"])
    own = {"payload": int(asked[1]) if asked else 4096, "do": " do" in want["q"]}
    return {**want, "edns": {**want["edns"], **own}}


def whole(want: Row, got: Row) -> Row:
    """15: what does not fit is left out as a whole, with TC."""
    if not re.search(r"\bTC\b", got.get("flags", "")):
        return want
    flags = want["flags"] if "TC" in want["flags"] else want["flags"].replace("QR AA", "QR AA TC")
    return {**want, "flags": flags, "answer": [], "authority": [], "additional": []}


def own_edns(want: Row, got: Row) -> Row:
    """16: upstreams are asked with minidns's own EDNS, and in mixed letter case."""
    shown = [
        line for line in got["answer"] if re.search(r'TXT "show\S* IN edns=0 payload=1232 do=\d opts=-"', line, re.I)
    ]
    return {**want, "answer": shown} if len(shown) == len(want["answer"]) else want


def translated(want: Row, got: Row) -> Row:
    """17: dns64 passes an upstream's failure on, and an address lives no longer than the answer that there is none."""
    if " AAAA" not in want["q"]:
        return want
    if got["rcode"] != "NOERROR" and not any(" AAAA " in line for line in want["answer"]):
        return {**want, "rcode": got["rcode"], "aa": got["aa"]}
    short = [re.sub(r" \d+ AAAA 64:ff9b::", " 5 AAAA 64:ff9b::", line) for line in want["answer"]]
    return {**want, "answer": short if "cluster.local" in want["q"] else want["answer"]}


def zone_ns(want: Row, got: Row) -> Row:
    """18: a zone has an NS record, whatever addresses the server has."""
    line = " NS ns.dns."
    if not any(line in one for one in got["answer"]) or want["answer"]:
        return want
    return {**want, "answer": got["answer"], "authority": [], "additional": got["additional"]}


def classes(want: Row, got: Row) -> Row:
    """19: no class but IN is answered or forwarded, beside chaos's own names; its authors are minidns's."""
    if got.get("rcode") == "NOERROR" and "authors.bind" in want["q"]:
        return {**want, "answer": got["answer"]}
    if "class=CH" not in want["q"] or got.get("rcode") != "REFUSED":
        return want
    return {**got, "q": want["q"]}


def stale(want: Row, _: Row) -> Row:
    """20: a stale answer has a TTL of 30 s (RFC 8767)."""
    return {**want, "answer": [re.sub(r"^(\S+) 0 ", r"\1 30 ", line) for line in want["answer"]]}


def letter_case(want: Row, got: Row) -> Row:
    """22: names come back in the letter case that they were asked in."""
    mine = {line.lower(): line for line in got["answer"]}
    return {**want, "answer": sorted(mine.get(line.lower(), line) for line in want["answer"])}


def fresh(want: Row, got: Row) -> Row:
    """23: what is made here is new with each answer: its TTL is not counted down."""
    ttls = {_without_ttl(line): line for line in got["answer"]}
    made = "pause" in want["q"] and not re.search(r"\bRA\b", want["flags"])
    return {**want, "answer": [ttls.get(_without_ttl(line), line) for line in want["answer"]]} if made else want


def _without_ttl(line: str) -> str:
    return re.sub(r" \d+ ", " ", line, count=1)


def left_out(want: Row, got: Row) -> Row:
    """24: additional records that do not fit are left out, without TC."""
    if "udponly" not in want["q"] or not want["additional"]:
        return want
    return {**want, "additional": got["additional"], "flags": want["flags"].replace(" TC", "")}


def behind_alias(want: Row, got: Row) -> Row:
    """25: a name that an alias leads to and that does not exist is kept as any other."""
    if want["rcode"] != "NXDOMAIN" or not want["answer"]:
        return want
    return {**want, "answer": got["answer"], "authority": got["authority"]}


def kept_for(want: Row, got: Row) -> Row:
    """26: a negative answer is kept for the lower of the SOA record's TTL and minimum."""
    soas = {_without_ttl(line): line for line in got["authority"] if " SOA " in line}
    authority = [
        soas[_without_ttl(line)]
        if _without_ttl(line) in soas and _ttl(soas[_without_ttl(line)]) <= int(line.split()[-1]) < _ttl(line)
        else line
        for line in want["authority"]
    ]
    return {**want, "authority": authority}


def _ttl(line: str) -> int:
    return int(line.split()[1])


#: What minidns says of Corefiles that it refuses and CoreDNS does not, by number.
REFUSALS = {
    16: r"rewrite edns0 is not here",
    19: r"rewrite class is not here",
    21: r"is not set$|is not a domain name|is not a network|closes nothing|is not here|does not have",
}

DIFFERENCES: dict[int, Callable[[Row, Row], Row]] = {
    1: no_such_name,
    2: more_types,
    4: weights,
    5: alias,
    7: negative_ttl,
    11: all_addresses,
    10: reasons,
    12: refused,
    13: recursion,
    14: edns,
    15: whole,
    16: own_edns,
    17: translated,
    18: zone_ns,
    19: classes,
    20: stale,
    22: letter_case,
    23: fresh,
    24: left_out,
    25: behind_alias,
    26: kept_for,
}


def same(want: Row, got: Row) -> bool:
    """Whether a row says what CoreDNS's says; a second may have passed."""
    return all(_close(value, got.get(key)) for key, value in want.items() if key in _COMPARED)


_SECTIONS = ("answer", "authority", "additional")
_COMPARED = {"error", "unparsed", "header_rcode", "counts", "status", "rcode", "aa", *_SECTIONS}
_COMPARED |= {"flags", "question", "edns"}


def _close(want: Any, got: Any) -> bool:
    if not isinstance(want, list) or not isinstance(got, list) or len(want) != len(got):
        return bool(want == got)
    for one, other in zip(want, got, strict=True):
        first, second = str(one).split(" "), str(other).split(" ")
        ttls = [fields.pop(1) for fields in (first, second) if len(fields) > 1 and fields[1].isdigit()]
        if first != second or (len(ttls) == 2 and abs(int(ttls[0]) - int(ttls[1])) > 1):
            return False
    return True


def numbers(want: Row, got: Row) -> list[int] | None:
    """The fewest differences that make CoreDNS's row ours; None when none do."""
    if "error" in got or "rcode" not in got:
        return [] if same(want, got) else None
    if "rcode" not in want:
        return [] if same(want, got) else [19] if same(classes(want, got), got) else None
    usable = [
        number
        for number, change in DIFFERENCES.items()
        if ("flags" in want or number not in (13, 14, 15, 23, 24)) and change(want, got) != want
    ]
    for count in range(len(usable) + 1):
        for chosen in combinations(usable, count):
            row = want
            for number in chosen:
                row = DIFFERENCES[number](row, got)
            if same(row, got):
                return list(chosen)
    return None


def judged(case: Case, said: list[Row] | str) -> tuple[dict[str, list[int]], list[str]]:
    """What is different on purpose, and what must not be, by question."""
    if isinstance(said, str) and not case.refused:
        number = next((number for number, text in REFUSALS.items() if re.search(text, said)), None)
        return ({}, ["start"]) if number is None else ({"start": [number]}, [])
    if isinstance(said, str) or case.refused:
        return {}, [] if isinstance(said, str) else ["start"]
    on_purpose: dict[str, list[int]] = {}
    wrong = []
    for place, (want, got) in enumerate(zip(case.rows, said, strict=True)):
        found = numbers(want, got)
        if found is None:
            wrong.append(f"{place} {want['q']}")
        elif found:
            on_purpose[f"{place} {want['q']}"] = found
    return on_purpose, wrong


async def _played(folder: Path, chosen: Sequence[Case] | None = None) -> dict[Case, list[Row] | str]:
    limit = asyncio.Semaphore(AT_ONCE)
    found: dict[Case, list[Row] | str] = {}

    async def one(case: Case, kubeconfig: Path) -> None:
        async with limit:
            found[case] = await play(case, folder / case.name, kubeconfig)

    async with recorded_cluster(folder) as kubeconfig, asyncio.TaskGroup() as group:
        for case in cases() if chosen is None else chosen:
            group.create_task(one(case, kubeconfig))
    return found


def _lists(played: Mapping[Case, list[Row] | str]) -> tuple[Lists, dict[str, list[str]]]:
    on_purpose: Lists = {}
    wrong: dict[str, list[str]] = {}
    for case, said in sorted(played.items(), key=lambda pair: pair[0].name):
        purpose, still = judged(case, said)
        if purpose:
            on_purpose[case.name] = purpose
        if still:
            wrong[case.name] = still
    return on_purpose, wrong


async def test_corefiles_mean_what_they_mean_to_coredns(tmp_path_factory: pytest.TempPathFactory) -> None:
    played = await _played(tmp_path_factory.mktemp("cases"))
    on_purpose, wrong = _lists(played)
    # The cases hold seconds (TTLs that count down, patience): on a busy machine some are played again, by themselves.
    for _ in range(3):
        if wrong:
            played |= await _played(tmp_path_factory.mktemp("again"), [case for case in played if case.name in wrong])
            on_purpose, wrong = _lists(played)
    assert wrong == {}
    assert on_purpose == json.loads((FOLDER / "differences.json").read_text())


def main() -> None:
    """Print how it stands, and write the list of differences."""
    with tempfile.TemporaryDirectory() as folder:
        played = asyncio.run(_played(Path(folder)))
    on_purpose, wrong = _lists(played)
    for case, said in sorted(played.items(), key=lambda pair: pair[0].name):
        for still in wrong.get(case.name, []):
            print(case.name, still, f"\n  {said}" if isinstance(said, str) else "")
            if still != "start" and not isinstance(said, str):
                place = int(still.split()[0])
                want, got = case.rows[place], said[place]
                for key in want:
                    if key in _COMPARED and not _close(want[key], got.get(key)):
                        print(f"  {key}: want {want[key]}\n  {' ' * len(key)}  got  {got.get(key)}")
    (FOLDER / "differences.json").write_text(json.dumps(on_purpose, indent=1) + "\n")
    print(f"{len(played)} cases: {len(played) - len({*on_purpose, *wrong})} equal,", end=" ")
    print(f"{len(on_purpose.keys() - wrong.keys())} different on purpose, {len(wrong)} wrong")


if __name__ == "__main__":
    main()
