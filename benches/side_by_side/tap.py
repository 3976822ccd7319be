"""When a statement has left for the server, by the kernel's own time: a listener on the loopback interface, as tcpdump is one.

Only root may listen (CAP_NET_RAW). What the listener hears waits in its buffer until it is asked for, so that nothing of this
runs while something is measured.
"""

import socket
import struct
import time

# <linux/if_ether.h>; <asm-generic/socket.h>
ETH_P_IP = 0x0800
SO_TIMESTAMPNS = 35
ETHERNET = 14


class Tap:
    """What goes to one port."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.socket.bind(("lo", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.setblocking(False)

    def forget(self):
        """What was heard so far."""
        for _ in self.packets():
            pass

    def first(self, text):
        """The time of the first packet to the port with this in it, in seconds since 1970."""
        found = None
        for at, payload in self.packets():
            if found is None and text in payload:
                found = at
        if found is None:
            raise RuntimeError(f"nothing was heard of {text!r}")
        return found

    def packets(self):
        while True:
            try:
                frame, ancillary, *_ = self.socket.recvmsg(1 << 16, 64)
            except BlockingIOError:
                return
            at = next((seconds + nanoseconds / 1e9
                       for level, kind, data in ancillary if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)
                       for seconds, nanoseconds in [struct.unpack("@qq", data)]), time.time())
            ip = frame[ETHERNET:]
            head = (ip[0] & 15) * 4
            tcp = ip[head:]
            # IPPROTO_TCP
            if ip[9] == 6 and struct.unpack("!H", tcp[2:4])[0] == self.port:
                yield at, tcp[(tcp[12] >> 4) * 4:]


def listen(port):
    """A tap, where one may be had."""
    try:
        return Tap(port)
    except PermissionError:
        return None
