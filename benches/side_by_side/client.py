"""A client of PostgreSQL's protocol, in Python's standard library: what pgbench cannot do.

Run as a program it repeats one statement and throws the answers away unparsed, so that what it costs is
the same through whatever it is connected."""

import base64
import hashlib
import hmac
import os
import secrets
import signal
import socket
import struct
import sys
import time


class Client:
    """A session: signed in by SCRAM-SHA-256, or by nothing where nothing is asked for."""

    def __init__(self, host, port, user, password, database):
        self.socket = socket.create_connection((host, port), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""
        body = struct.pack("!i", 196608) + f"user\0{user}\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.sign_in(password)

    def message(self):
        """The type and the body of the next message."""
        while len(self.pending) < 5 or len(self.pending) < 1 + struct.unpack("!i", self.pending[1:5])[0]:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the connection was closed")
            self.pending += more
        end = 1 + struct.unpack("!i", self.pending[1:5])[0]
        kind, body = self.pending[:1], self.pending[5:end]
        self.pending = self.pending[end:]
        return kind, body

    def sign_in(self, password):
        nonce = first = ""
        while True:
            kind, body = self.message()
            if kind == b"E":
                raise RuntimeError(body.decode(errors="replace"))
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            request = struct.unpack("!i", body[:4])[0]
            if request == 10:
                nonce = secrets.token_urlsafe(18)
                first = f"n=,r={nonce}"
                message = f"n,,{first}".encode()
                self.answer(b"SCRAM-SHA-256\0" + struct.pack("!i", len(message)) + message)
            elif request == 11:
                self.answer(proof(password, first, body[4:].decode()))
            elif request not in (0, 12):
                raise RuntimeError(f"authentication method {request} is not known here")

    def answer(self, body):
        self.socket.sendall(b"p" + struct.pack("!i", len(body) + 4) + body)

    def query(self, sql):
        """Runs a simple query and throws the answer away."""
        self.socket.sendall(encode(sql))
        while True:
            kind, body = self.message()
            if kind == b"E":
                raise RuntimeError(body.decode(errors="replace"))
            if kind == b"Z":
                return

    def close(self):
        self.socket.sendall(b"X\0\0\0\4")
        self.socket.close()


def proof(password, first, challenge):
    """The client's final message of SCRAM (RFC 5802)."""
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    without = f"c=biws,r={fields['r']}"
    signed = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{without}".encode(), "sha256")
    return f"{without},p={base64.b64encode(bytes(a ^ b for a, b in zip(key, signed))).decode()}".encode()


def encode(sql):
    body = sql.encode() + b"\0"
    return b"Q" + struct.pack("!i", len(body) + 4) + body


def repeat(client, sql, seconds):
    """Repeats a statement for a time, or until SIGALRM, and says what pgbench does: about every second how many answers a second there
    were, and in the end how many in all."""
    ended = []
    signal.signal(signal.SIGALRM, lambda *_: ended.append(True))
    buffer = memoryview(bytearray(1 << 20))
    query, tail = encode(sql), b""
    begun = mark = time.monotonic()
    count = total = 0
    while mark - begun < seconds and not ended:
        client.socket.sendall(query)
        while True:
            n = client.socket.recv_into(buffer)
            if not n:
                raise EOFError("the connection was closed")
            tail = (tail + bytes(buffer[max(0, n - 6):n]))[-6:]
            if tail[:5] == b"Z\0\0\0\5":
                break
        count, total = count + 1, total + 1
        now = time.monotonic()
        if now - mark >= 1:
            print(f"progress: {now - begun:.1f} s, {count / (now - mark):.3f} tps", file=sys.stderr, flush=True)
            mark, count = now, 0
    print(f"number of transactions actually processed: {total}")


if __name__ == "__main__":
    env = os.environ
    session = Client(env["PGHOST"], int(env["PGPORT"]), env["PGUSER"], env["PGPASSWORD"], env["PGDATABASE"])
    repeat(session, sys.argv[2], int(sys.argv[1]))
    session.close()
