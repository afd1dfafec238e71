"""Runs a command whose `/etc/resolv.conf` is a pod's.

A resolv.conf cannot name a port, and port 53 of this machine is not ours. So the command gets a network of its own, in
which the cluster's DNS address answers on port 53, and this process passes on to the server what comes there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pwd
import shutil
import signal
import socket
import sys
from collections.abc import Callable

from minidns.cli.pod import namespaces
from minidns.cli.pod.relay import relay
from minidns.config.values import Listen, UsageError, is_address, zone_name
from minidns.core import names, wire
from minidns.plugins.forward import message
from minidns.source.manifests.objects import check_label

#: Seconds for the server to show that it is there.
_PATIENCE = 3.0
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
#: What containers have. On a desktop other sources come first, which do not go by resolv.conf.
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
_TYPE_AND_CLASS, _TTL_AND_LENGTH = b"\0\1\0\1", 6
#: The exit code of a shell for a command that is not there.
_NOT_FOUND = 127

MUSL = """\
programs here use this machine's C library; in an image with musl (Alpine) these would differ:
  - a name with {ndots} dots or more is asked as it is, and never with the search list
  - a name that exists without an address ends the search; glibc tries the next
  - REFUSED is asked again for 5 seconds, and is an error then; glibc sends it twice and goes on
  - types other than A and AAAA are asked as they are, without the search list"""


def add_arguments(parser: argparse.ArgumentParser, server: str) -> None:
    parser.add_argument("--from", dest="namespace", required=True, metavar="NAMESPACE", help="the pod's")
    parser.add_argument("--server", default=server, metavar="HOST:PORT", help=f"that answers ({server})")
    parser.add_argument("--zone", default="cluster.local", metavar="NAME", help="the cluster's (cluster.local)")
    parser.add_argument("--ndots", type=int, default=5, metavar="N", help="of its resolv.conf (5)")
    parser.add_argument("--libc", choices=("glibc", "musl"), help="say first what would differ with that one")
    parser.add_argument("--as-user", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="your shell by default")


def run(arguments: argparse.Namespace) -> int:
    """The exit code of the command. Raises UsageError when there is no server, or no way to separate."""
    server = Listen.parse(arguments.server)
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    command = command or [os.environ.get("SHELL", "/bin/sh")]
    search, dns = _search(arguments.namespace, arguments.zone), _cluster_dns(server, arguments.zone)
    # On port 53 the server is reached as it is, and the command keeps its network.
    own_network = server.port != 53 or not is_address(server.host)
    nameserver = dns if own_network else server.host
    files = {
        "/etc/resolv.conf": f"search {search}\nnameserver {nameserver}\noptions ndots:{arguments.ndots}\n",
        "/etc/nsswitch.conf": _NSSWITCH,
        "/etc/hosts": _HOSTS,
    }
    if arguments.libc == "musl":
        print(MUSL.format(ndots=arguments.ndots), file=sys.stderr)
    ours, theirs = socket.socketpair()
    process = os.fork()
    if not process:
        ours.close()
        _be_the_pod(theirs, nameserver if own_network else "", files, command, arguments.as_user)
    theirs.close()
    said, sockets = _handed_over(ours)
    if said:
        os.waitpid(process, 0)
        before = sys.argv[2 : len(sys.argv) - len(arguments.command)]
        return with_sudo(said, [*before, "--", *command])
    # Ctrl-C is for the command; this process ends with it.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    ended = asyncio.run(relay(*sockets, server, process)) if sockets else os.waitpid(process, 0)[1]
    code = os.waitstatus_to_exitcode(ended)
    return code if code >= 0 else 128 - code


def _search(namespace: str, zone: str) -> str:
    """The search list that kubelet writes for pods (dnsPolicy ClusterFirst)."""
    try:
        check_label("--from", namespace)
    except ValueError as error:
        raise UsageError(str(error)) from None
    origin = zone_name(zone).removesuffix(".")
    return f"{namespace}.svc.{origin} svc.{origin} {origin}"


def _cluster_dns(server: Listen, zone: str) -> str:
    """The address that pods ask, which is Service kube-dns's; 127.0.0.1 when there is none.

    Raises UsageError when the server does not answer.
    """
    question = names.from_text(f"kube-dns.kube-system.svc.{zone_name(zone)}") + _TYPE_AND_CLASS
    try:
        with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(_PATIENCE)
            asking.connect((server.host or "127.0.0.1", server.port))
            asking.send(message.query(question, 1))
            answer = message.answer(asking.recv(4096), wire.HEADER + len(question))
    except (OSError, wire.MalformedError) as error:
        raise UsageError(f"no DNS server at {server} ({error}): start minidns, or name it with --server") from None
    if not answer.counts[0]:
        return "127.0.0.1"
    at = wire.skip_name(answer.body, 0) + len(_TYPE_AND_CLASS) + _TTL_AND_LENGTH
    return names.address_text(answer.body[at : at + 4])


def _be_the_pod(
    parent: socket.socket, nameserver: str, files: dict[str, str], command: list[str], user: str | None
) -> None:
    """In the child: separate, hand the sockets to the parent, and become the command. Never returns."""
    try:
        namespaces.separate(network=bool(nameserver))
        namespaces.replace_files(files)
        namespaces.hide_folder("/run/nscd")  # or names would be looked up outside
        sockets = _listening(nameserver) if nameserver else []
        if user:
            _become(user)
        socket.send_fds(parent, [b"+"], [each.fileno() for each in sockets])
    except OSError as error:
        parent.send(str(error.strerror or error).encode())
        os._exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"minidns: {command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(_NOT_FOUND)


def _listening(nameserver: str) -> list[socket.socket]:
    namespaces.be_every_address()
    udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    for each in (udp, tcp):
        each.bind((nameserver, 53))
    tcp.listen()
    return [udp, tcp]


def _become(user: str) -> None:
    """From root back to the user that sudo was called by: "UID:GID"."""
    uid, gid = map(int, user.split(":"))
    os.environ["HOME"] = pwd.getpwuid(uid).pw_dir
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _handed_over(channel: socket.socket) -> tuple[str, tuple[socket.socket, socket.socket] | None]:
    """What went wrong, "" when nothing did; and the child's sockets, UDP and TCP, if it has a network of its own."""
    message, descriptors, _, _ = socket.recv_fds(channel, 4096, 2)
    if message != b"+":
        return message.decode(errors="replace") or "the process ended", None
    if not descriptors:
        return "", None
    udp, tcp = (socket.socket(fileno=each) for each in descriptors)
    return "", (udp, tcp)


def with_sudo(why: str, given: list[str], find: Callable[[str], str | None] = shutil.which) -> int:
    """Become the same command as root, which becomes this user again. Raises UsageError when there is no way to.

    given: the arguments of `minidns pod`. find: where a program is.
    """
    sudo = find("sudo") if os.geteuid() else None
    if sudo is None:
        raise UsageError(
            f"this kernel gives no namespaces of its own to a process ({why}), and there is no sudo. "
            "As root: sysctl user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0"
        )
    print(f"minidns: {why}: with sudo", file=sys.stderr)
    user = f"--as-user={os.getuid()}:{os.getgid()}"
    os.execv(sudo, [sudo, "--", sys.executable, "-m", "minidns", "pod", user, *given])
