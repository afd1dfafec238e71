"""`log`: a line per query in CoreDNS's format, made from the bytes of a question and of its answer."""

from __future__ import annotations

import re

from minidns.config.plugins.log import Log, LogClass
from minidns.core import names, records
from minidns.core.names import is_below
from minidns.core.responder import Exchange
from minidns.core.wire import PLAIN_SIZE, TCP_SIZE, MalformedError, Question
from minidns.plugins.forward import message

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
#: What stands for a placeholder that says nothing, as in CoreDNS.
_EMPTY = "-"
_FLAGS = {0x8000: "qr", 0x0400: "aa", 0x0200: "tc", 0x0100: "rd", 0x0080: "ra", 0x0020: "ad", 0x0010: "cd"}


class QueryLog:
    """What the `log` plugins of a server block have to say."""

    def __init__(self, logs: tuple[Log, ...]) -> None:
        self._logs = tuple((tuple(map(names.from_text, log.zones)), log) for log in logs)

    def line(self, exchange: Exchange) -> str | None:
        """The line for an exchange, by the first `log` whose zones hold its name; None when there is none to write."""
        try:
            asked = message.question(exchange.query)
        except MalformedError:
            return None
        log = next((log for zones, log in self._logs if any(is_below(asked.name, zone) for zone in zones)), None)
        if log is None:
            return None
        slow = log.min_duration is not None and exchange.seconds >= log.min_duration
        if not slow and not {"all", _class(exchange.answer)} & log.classes:
            return None
        values = _values(asked, exchange)
        return _PLACEHOLDER.sub(lambda match: values.get(match[1], _EMPTY), log.format)


def _class(answer: bytes) -> LogClass:
    rcode, has_answer = answer[3] & 15, any(answer[6:8])
    if rcode == records.NXDOMAIN or (rcode == records.NOERROR and not has_answer):
        return "denial"
    return "success" if rcode == records.NOERROR else "error"


def _values(asked: Question, exchange: Exchange) -> dict[str, str]:
    flags = int.from_bytes(exchange.answer[2:4], "big")
    size = TCP_SIZE if exchange.transport == "tcp" else max(PLAIN_SIZE, asked.edns.size if asked.edns else 0)
    return {
        "type": records.type_text(asked.type),
        "class": "IN" if asked.class_ == 1 else f"CLASS{asked.class_}",
        "name": names.to_text(asked.name),
        "proto": exchange.transport,
        "remote": f"[{exchange.client.address}]" if ":" in exchange.client.address else exchange.client.address,
        "local": f"[{exchange.local}]" if ":" in exchange.local else exchange.local,
        "port": str(exchange.client.port),
        "size": str(len(exchange.query)),
        "rsize": str(len(exchange.answer)),
        "duration": f"{exchange.seconds:.9f}s",
        "rcode": records.RCODES.get(flags & 15, str(flags & 15)),
        ">rflags": ",".join(text for bit, text in _FLAGS.items() if flags & bit),
        ">bufsize": str(size),
        ">do": "true" if asked.edns and asked.edns.do else "false",
        ">id": str(int.from_bytes(asked.id, "big")),
        ">opcode": str(exchange.query[2] >> 3 & 15),
    }
