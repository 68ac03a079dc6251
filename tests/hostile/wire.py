"""What the attackers speak: HTTP and NATS over plain sockets, so that nothing between them and the service is polite."""
import base64
import json
import os
import select
import socket
import time


def http_raw(port, data, wait=2.0, most=1 << 20):
    """Sends bytes, gives what came back until the peer closed or the time was over."""
    out = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=wait) as peer:
            peer.sendall(data)
            end = time.monotonic() + wait
            while len(out) < most and time.monotonic() < end:
                peer.settimeout(max(0.01, end - time.monotonic()))
                part = peer.recv(65536)
                if not part:
                    break
                out += part
                if complete(out):
                    break
    except OSError:
        pass
    return out


def complete(answer):
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False


def http(port, method, path, body=None, headers=(), wait=5.0):
    """(status, body bytes); status 0: no answer in time."""
    payload = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(payload)}"]
    if body is not None and not any(h.lower().startswith("content-type") for h in headers):
        lines.append("Content-Type: application/json")
    head = "\r\n".join(lines + list(headers)) + "\r\n\r\n"
    answer = http_raw(port, head.encode() + payload, wait)
    first, _, rest = answer.partition(b"\r\n")
    parts = first.split()
    status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
    return status, rest.partition(b"\r\n\r\n")[2]


class Nats:
    """One connection as one user of nats.conf. Messages that come are kept until taken; refusals are counted."""

    def __init__(self, port, user, password):
        self.peer = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.messages = []
        self.refused = 0
        self.inbox = f"_INBOX_{user}.{base64.b32encode(os.urandom(8)).decode().strip('=').lower()}"
        hello = {"verbose": False, "pedantic": False, "user": user, "pass": password, "headers": True, "no_responders": True, "lang": "attack", "version": "1"}
        self.peer.sendall(b"CONNECT " + json.dumps(hello).encode() + b"\r\nPING\r\n")
        self.subscribe(self.inbox + ".>")
        self.turn(0.2)

    def subscribe(self, subject):
        self.peer.sendall(f"SUB {subject} 1\r\n".encode())

    def publish(self, subject, body=b"", reply="", headers=None):
        reply = f" {reply}" if reply else ""
        if headers is None:
            self.peer.sendall(f"PUB {subject}{reply} {len(body)}\r\n".encode() + body + b"\r\n")
            return
        head = b"NATS/1.0\r\n" + b"".join(f"{k}: {v}\r\n".encode() for k, v in headers.items()) + b"\r\n"
        self.peer.sendall(f"HPUB {subject}{reply} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n")

    def turn(self, wait=0.0):
        """Reads what has come: answers PING, counts -ERR, keeps messages."""
        while select.select([self.peer], [], [], wait)[0]:
            part = self.peer.recv(1 << 18)
            if not part:
                raise ConnectionError("closed by the server")
            self.buffer += part
            wait = 0.0
            self.cut()

    def cut(self):
        while True:
            line, gap, rest = self.buffer.partition(b"\r\n")
            if not gap:
                return
            words = line.split()
            if words and words[0] in (b"MSG", b"HMSG"):
                size = int(words[-1])
                if len(rest) < size + 2:
                    return
                reply = words[3].decode() if len(words) == (5 if words[0] == b"MSG" else 6) else ""
                self.messages.append((words[1].decode(), reply, rest[:size]))
                self.buffer = rest[size + 2:]
                continue
            if line.startswith(b"PING"):
                self.peer.sendall(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                self.refused += 1
            self.buffer = rest
