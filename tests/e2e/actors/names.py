"""A network of the test's own, with a name server where the system's resolver looks for one."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import socket
import struct
import threading

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFADDR, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8914, 1
DNS_A, DNS_ANSWERS, DNS_NO_SUCH_NAME = 1, 0x8580, 0x8583
DAY = 86400

libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags):
    """False: this user may not."""
    return libc.unshare(flags) == 0


def become_root_of(uid, gid):
    """In a new user namespace files are still made as who one was."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        pathlib.Path("/proc/self", name).write_text(text)


def enter_network():
    """A network namespace for this thread and all that it starts; False where none may be had."""
    uid, gid = os.getuid(), os.getgid()
    if unshare(CLONE_NEWNET):
        return True
    if not unshare(CLONE_NEWUSER | CLONE_NEWNET):
        return False
    become_root_of(uid, gid)
    return True


def set_up_loopback(address):
    """Brings lo up and gives it another address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
        if not address.startswith("127."):
            place = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(sock, SIOCSIFADDR, struct.pack("16s16s8x", b"lo:0", place))


def resolvers_address():
    """Where the system's resolver asks, by IPv4; None when it asks by IPv6 only."""
    try:
        text = pathlib.Path("/etc/resolv.conf").read_text()
    except FileNotFoundError:
        text = ""
    servers = re.findall(r"^nameserver\s+(\S+)", text, re.MULTILINE) or ["127.0.0.1"]
    return next((server for server in servers if ":" not in server), None)


class Names:
    """The name server: knows the names in `addresses`, one IPv4 address each, and counts."""

    def __init__(self, address):
        self.addresses, self.lookups = {}, []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True, name="names").start()

    def _serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                query, sender = self._sock.recvfrom(4096)
                self._sock.sendto(self.answer(query), sender)

    def answer(self, query):
        """An answer that may be kept for a day (RFC 1035 4.1)."""
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = ".".join(labels), struct.unpack_from("!H", query, at + 1)[0]
        question, records = query[12:at + 5], b""
        known = name in self.addresses
        if known and kind == DNS_A:
            self.lookups.append(name)
            records = struct.pack("!HHHIH4s", 0xC00C, DNS_A, 1, DAY, 4,
                                  socket.inet_aton(self.addresses[name]))
        head = struct.pack("!2sHHHHH", query[:2], DNS_ANSWERS if known else DNS_NO_SUCH_NAME,
                           1, 1 if records else 0, 0, 0)
        return head + question + records

    def close(self):
        self._sock.close()
