"""Addresses and names that stay: chosen by a hash of the owner's name, so that no edit and no restart moves them.

Two names may hash to the same place; then the one that comes later takes the next free place. That alone depends
on what else there is: at 100 Services in a /16, about one in 1,300.
"""

from __future__ import annotations

from itertools import chain
from zlib import crc32

from minidns.config.values import Network
from minidns.core.model import Key

# Kubernetes' alphabet for random suffixes: no vowels and nothing that reads like one.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_DIGITS = str.maketrans("0123456789", "456789bcdf")


def suffix(text: str) -> str:
    """Five characters such as Kubernetes appends to the names of pods and slices."""
    number, letters = crc32(text.encode()), ""
    for _ in range(5):
        number, digit = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[digit]
    return letters


def template_hash(text: str) -> str:
    """The part of a Deployment's pod names that says which template they come from."""
    return str(crc32(text.encode())).translate(_DIGITS)


class Addresses:
    """The addresses of one CIDR: who has which.

    An owner is *given* one address, or *pins* those that are written down for it. A pin takes the address from whoever
    was given it. `low` is the first part of the range that is given away only when the rest is taken, the part in
    which people choose addresses by hand.
    """

    def __init__(self, network: Network, low: int) -> None:
        self.network = network
        self._base = int(network.network_address)
        # The last address of an IPv4 range is its broadcast address. 2^32 places are enough for an IPv6 range.
        self._places = min(network.num_addresses, 1 << 32) - (network.version == 4)
        self._low = low if low < self._places // 2 else 1
        #: Bytes of an address.
        self.size = network.max_prefixlen // 8
        self._given: dict[Key, int] = {}
        self._owner: dict[int, Key] = {}
        self._pins: dict[Key, frozenset[int]] = {}
        self._pinned: dict[int, set[Key]] = {}
        #: Nothing was left when an address was last asked for.
        self.full = False

    def place(self, index: int) -> bytes:
        """The address at that place of the range."""
        return (self._base + index).to_bytes(self.size, "big")

    def give(self, owner: Key, but: bytes | None = None) -> bytes | None:
        """The owner's address, the same until it is released; None when all are taken.

        but: an address that it should not be, unless no other is left.
        """
        offset = self._given.get(owner)
        if offset is None:
            offset = None if self.full else self._find(owner, self._offset(but) if but else None)
            if offset is None:
                self.full = True
                return None
            self._given[owner] = offset
            self._owner[offset] = owner
        return self.place(offset)

    def _find(self, owner: Key, but: int | None) -> int | None:
        low, size = self._low, self._places
        if size <= low:
            return None
        start = low + crc32("/".join(owner).encode()) % (size - low)
        places = chain(range(start, size), range(low, start), range(1, low))
        free = (at for at in places if at not in self._owner and at not in self._pinned)
        first = next(free, None)
        return next(free, first) if but is not None and first == but else first

    def _offset(self, address: bytes) -> int:
        return int.from_bytes(address, "big") - self._base

    def release(self, owner: Key) -> bytes | None:
        """The owner is gone, and so is its claim to a given address: that address, if it had one."""
        offset = self._given.pop(owner, None)
        if offset is not None:
            del self._owner[offset]
        self.full = False
        return None if offset is None else self.place(offset)

    def pin(self, owner: Key, addresses: tuple[bytes, ...]) -> set[Key]:
        """These addresses, and no others, are written down for this owner.

        Several owners may pin the same one. Returns everyone else to whom one of these addresses was, or is,
        of interest.
        """
        new = frozenset(self._offset(a) for a in addresses if len(a) == self.size)
        old = self._pins.pop(owner, frozenset())
        if new == old == frozenset():
            return set()
        concerned: set[Key] = set()
        for offset in old - new:
            self._pinned[offset].discard(owner)
            concerned |= self._pinned[offset]
            if not self._pinned[offset]:
                del self._pinned[offset]
                self.full = False
        if new:
            self._pins[owner] = new
        for offset in new - old:
            concerned |= self._pinned.setdefault(offset, set())
            self._pinned[offset].add(owner)
            if (loser := self._owner.get(offset)) is not None:
                self.release(loser)
                concerned.add(loser)
        return concerned - {owner}

    def pinned_by(self, address: bytes) -> set[Key]:
        """The owners for which this address is written down."""
        return self._pinned.get(self._offset(address), set())
