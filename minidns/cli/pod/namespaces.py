"""A process with files and a network of its own, by the kernel's namespaces (namespaces(7)).

Without root it takes a user namespace as well, in which the user stays who he is. Everything here acts on the calling
process, which must have one thread.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path

# linux/sched.h, sys/mount.h
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
# linux/sockios.h, linux/if.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _IFF_UP = 0x8913, 0x8914, 0x8916, 0x1
# linux/rtnetlink.h, linux/netlink.h
_RTM_NEWROUTE, _REQUEST_ACK_CREATE = 24, 0x1 | 0x4 | 0x400
_TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL, _RTA_OIF = 255, 3, 254, 2, 4

#: Beside loopback, so that programs that ask only for families which the machine has an address of (RFC 3493, 6.1,
#: AI_ADDRCONFIG: getent, curl) ask at all.
_OWN_ADDRESS, _OWN_ADDRESS_6 = "10.244.255.254", "fd00:10:244::fffe"

_LIBC = ctypes.CDLL(None, use_errno=True)


def separate(*, network: bool) -> None:
    """Leave the namespaces of the parent. Raises OSError when the kernel does not allow that."""
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS | (_CLONE_NEWNET if network else 0) | (_CLONE_NEWUSER if user else 0)
    _check(_LIBC.unshare(flags), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    # Nothing that is mounted from now on shows outside.
    _mount("none", "/", _MS_REC | _MS_PRIVATE)


def replace_files(texts: Mapping[str, str]) -> None:
    """Put other files over those of these paths, where they exist. Raises OSError."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (path, text) in enumerate(texts.items()):
            if os.path.exists(path):
                file = Path(folder, str(number))
                file.write_text(text)
                file.chmod(0o644)
                # A link leads to the file that counts. The mount outlives the name of what is mounted.
                _mount(str(file), os.path.realpath(path), _MS_BIND)


def hide_folder(path: str) -> None:
    """Put an empty folder over that one, if there is one."""
    if os.path.isdir(path):
        with tempfile.TemporaryDirectory() as folder:
            _mount(folder, os.path.realpath(path), _MS_BIND)


def be_every_address() -> None:
    """Bring the network up, in which this machine has all addresses: a ping to any is answered by its own kernel."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH22x", b"lo", 0)
        flags = struct.unpack_from("H", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))
        address = struct.pack("16sHH4s16x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(_OWN_ADDRESS))
        fcntl.ioctl(any_socket, _SIOCSIFADDR, address)
    # ping(8) without root.
    Path("/proc/sys/net/ipv4/ping_group_range").write_text(f"{os.getegid()} {os.getegid()}")
    _route_all(socket.AF_INET)
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
            own = socket.inet_pton(socket.AF_INET6, _OWN_ADDRESS_6)
            fcntl.ioctl(any_socket, _SIOCSIFADDR, own + struct.pack("Ii", 128, socket.if_nametoindex("lo")))
        _route_all(socket.AF_INET6)


def _route_all(family: int) -> None:
    """As `ip route add local default dev lo` (rtnetlink(7))."""
    route = struct.pack(
        "=8BI", family, 0, 0, 0, _TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL, 0
    ) + struct.pack("=HHI", 8, _RTA_OIF, socket.if_nametoindex("lo"))
    header = struct.pack("=IHHII", 16 + len(route), _RTM_NEWROUTE, _REQUEST_ACK_CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(header + route)
        (error,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if error:
        raise OSError(-error, f"a route for every address: {os.strerror(-error)}")


def _mount(source: str, target: str, flags: int) -> None:
    _check(_LIBC.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None), f"mount over {target}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
