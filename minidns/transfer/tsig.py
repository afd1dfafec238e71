"""Signatures of messages with shared keys (TSIG, RFC 8945), as dnspython computes them."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

from minidns.config.plugins.tsig import TsigKey
from minidns.core import records, wire

#: Seconds that two clocks may differ (RFC 8945, 10).
FUDGE = 300
BADSIG, BADKEY, BADTIME = 16, 17, 18
_TSIG, _ANY = int(dns.rdatatype.TSIG), int(dns.rdataclass.ANY)
#: Type, class and TTL of a TSIG record: a packet without these bytes has none.
_MARK = struct.pack("!HHI", _TSIG, _ANY, 0)
_NOTAUTH = 9
#: dnspython has no types for these.
_Rdata: Any = dns.rdtypes.ANY.TSIG.TSIG
_validate: Any = dns.tsig.validate
_sign: Any = dns.tsig.sign


class Signature(NamedTuple):
    """A signature that was found right. key: the name of the key. packet: the message without it."""

    key: str
    packet: bytes
    secret: Any
    mac: bytes

    @property
    def room(self) -> int:
        """Bytes that the signature of an answer takes."""
        return _room(self.secret)


class Refusal(NamedTuple):
    """The answer to a message whose signature is wrong."""

    reply: bytes
    why: str


def is_signed(packet: bytes) -> bool:
    """Whether a packet may have a signature; quick, and never wrong about one that has."""
    return _MARK in packet


class Keys:
    """The keys of a server block. now: the time of day in seconds."""

    def __init__(self, keys: Mapping[str, TsigKey], now: Any = time.time) -> None:
        self._keys = keys
        self._now = now

    def verify(self, packet: bytes, mac: bytes = b"") -> Signature | Refusal | None:
        """The signature of a packet, the answer to one that is wrong, None when there is none.

        mac: that of the question, when the packet is an answer.
        """
        try:
            found = _find(packet)
        except (wire.MalformedError, IndexError, struct.error, dns.exception.DNSException):
            return Refusal(wire.error(packet, records.FORMERR), "FORMERR")
        if found is None:
            return None
        start, owner, rdata = found
        key = self._key(owner, rdata)
        if key is None:
            return self._refuse(packet, start, owner, rdata, BADKEY)
        try:
            # The signature first, its time only then (RFC 8945, 5.2).
            _validate(packet, key, owner, rdata, rdata.time_signed, mac, start)
        except dns.exception.DNSException:
            return self._refuse(packet, start, owner, rdata, BADSIG)
        if abs(rdata.time_signed - self._now()) > rdata.fudge:
            return self._refuse(packet, start, owner, rdata, BADTIME, key)
        return Signature(_text(owner), _without(packet, start), key, rdata.mac)

    def sign(self, message: bytes, key: str, mac: bytes = b"") -> tuple[bytes, bytes]:
        """(the signed message, its MAC). mac: that of the question, when the message is an answer."""
        secret = self._secret(self._keys[key], None)
        rdata = _template(secret, int.from_bytes(message[:2], "big"))
        signed, _ = _sign(message, secret, rdata, int(self._now()), mac or None)
        return _with(message, secret.name, signed), signed.mac

    def answer(self, reply: bytes, signature: Signature) -> bytes:
        """The reply to a signed question, signed."""
        return next(self.answers(iter((reply,)), signature))

    def answers(self, replies: Iterator[bytes], signature: Signature) -> Iterator[bytes]:
        """The messages of one answer, each signed (RFC 8945, 5.3.1). b"" passes as it is."""
        key, context, mac = signature.secret, None, signature.mac
        for reply in replies:
            if not reply:
                yield reply
                continue
            rdata = _template(key, int.from_bytes(reply[:2], "big"))
            signed, context = _sign(reply, key, rdata, int(self._now()), mac, context, True)
            yield _with(reply, key.name, signed)

    def _key(self, owner: dns.name.Name, rdata: Any) -> Any:
        known = self._keys.get(_text(owner))
        algorithm = rdata.algorithm.to_text(omit_final_dot=True).lower()
        return None if known is None or not known.takes(algorithm) else self._secret(known, algorithm)

    def _secret(self, key: TsigKey, algorithm: str | None) -> Any:
        return dns.tsig.Key(key.name, key.secret, algorithm or key.algorithm or "hmac-sha256")

    def _refuse(
        self, packet: bytes, start: int, owner: dns.name.Name, rdata: Any, error: int, key: Any = None
    ) -> Refusal:
        """NOTAUTH, the error in the TSIG record; only a wrong time is signed, and says ours (RFC 8945, 5.2, 5.3.2)."""
        bare = _without(packet, start)
        reply = wire.error(bare, _NOTAUTH, wire.parse(bare))
        now = int(self._now())
        other = now.to_bytes(6, "big") if error == BADTIME else b""
        made = _Rdata(_ANY, _TSIG, rdata.algorithm, rdata.time_signed, FUDGE, b"", rdata.original_id, error, other)
        if key is not None:
            made, _ = _sign(reply, key, made, rdata.time_signed, rdata.mac)
        return Refusal(_with(reply, owner, made), {BADSIG: "BADSIG", BADKEY: "BADKEY", BADTIME: "BADTIME"}[error])


def _find(packet: bytes) -> tuple[int, dns.name.Name, Any] | None:
    """Where the TSIG record starts, its owner and its data. Raises MalformedError where it is not the last record."""
    questions, *counts = struct.unpack_from("!4H", packet, 4)
    at = wire.HEADER
    for _ in range(questions):
        at = wire.skip_name(packet, at) + 4
    total = sum(counts)
    for number in range(total):
        start = at
        at = wire.skip_name(packet, at)
        type_, class_, ttl, length = struct.unpack_from("!HHIH", packet, at)
        at += 10 + length
        if type_ != _TSIG:
            continue
        if number != total - 1 or not counts[2] or class_ != _ANY or ttl or at != len(packet):
            raise wire.MalformedError("a TSIG record out of place")
        owner, _ = dns.name.from_wire(packet, start)
        return start, owner, dns.rdata.from_wire(class_, type_, packet, at - length, length)
    return None


def _text(name: dns.name.Name) -> str:
    """As configurations have it: in lower case, with the final dot."""
    return name.to_text().lower()


def _without(packet: bytes, start: int) -> bytes:
    count = int.from_bytes(packet[10:12], "big") - 1
    return packet[:10] + count.to_bytes(2, "big") + packet[12:start]


def _with(message: bytes, owner: dns.name.Name, rdata: Any) -> bytes:
    count = int.from_bytes(message[10:12], "big") + 1
    data: bytes = rdata.to_wire()
    record = _wire(owner) + _MARK + len(data).to_bytes(2, "big") + data
    return message[:10] + count.to_bytes(2, "big") + message[12:] + record


def _wire(name: dns.name.Name) -> bytes:
    return name.to_wire() or b""


def _template(key: Any, id_: int) -> Any:
    return _Rdata(_ANY, _TSIG, key.algorithm, 0, FUDGE, b"", id_, 0, b"")


def _room(key: Any) -> int:
    """Bytes of a TSIG record without other data."""
    sizes = {"hmac-sha256": 32, "hmac-sha384": 48, "hmac-sha512": 64}
    algorithm = key.algorithm.to_text(omit_final_dot=True).lower()
    return len(_wire(key.name)) + 10 + len(_wire(key.algorithm)) + 16 + sizes.get(algorithm, 64)
