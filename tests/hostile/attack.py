#!/usr/bin/python3
"""One hostile user, for so many seconds: author, participant, starter or client.

usage: attack.py ROLE SECONDS SEED HTTP_PORT NATS_PORT
prints: one line of JSON, what was tried and how it was answered. Exit 0 unless the attacker itself broke; what its attacks did is
judged by whoever runs it (tests/hostile/run).

Each role has a list of moves; a seeded choice makes one after the other. A move that makes the service end, stall, or take others'
time belongs here for ever.
"""
import collections
import json
import random
import socket
import sys
import time

from wire import Nats, http, http_raw

PASSWORD = "hostile"
tally = collections.Counter()


def note(move, status):
    tally[f"{move}:{status}"] += 1


# ---- the author: definitions over HTTP, and what they do when they run ----

def put(port, name, text, move):
    status, _ = http(port, "PUT", f"/v1/definitions/{name}/1", text.encode(), ["Content-Type: application/yaml"])
    note(move, status)
    return status


def definition(name, steps, more=""):
    return f"saga: {name}\nversion: 1\n{more}steps:\n{steps}"


def author_moves(rng, port):
    tag = "".join(rng.choice("abcdefghij") for _ in range(8))

    def start(name, body, move):
        note(move, http(port, "POST", "/v1/sagas", {"definition": name, "input": body})[0])

    def participants():
        steps = "".join(f"  - {{ id: s{i}, command: p{tag}{i}.go, compensate: none }}\n" for i in range(rng.choice([200, 990])))
        put(port, f"many-{tag}", definition(f"many-{tag}", steps), "thousand participants")

    def multiplied():
        steps = ('  - foreach:\n      id: f\n      in: ${ $input.l }\n      as: x\n      max_items: 100\n      max_concurrency: 100\n      steps:\n'
                 '        - { id: s, command: inventory.go, with: { x: "${ $input.s * 1000 }" }, compensate: none }\n')
        name = f"multi-{tag}"
        put(port, name, definition(name, steps), "multiplied")
        for _ in range(5):
            start(name, {"l": list(range(100)), "s": "x" * 250}, "multiplied start")

    def switches():
        cases = "".join(f'      - when: "[$input.l[] | select(. * {i} == -1)] | length > 0"\n        steps: []\n' for i in range(60))
        name = f"switch-{tag}"
        put(port, name, definition(name, "  - switch:\n" + cases + "      - else: []\n"), "long switch")
        start(name, {"l": list(range(20000))}, "long switch start")

    def itself():
        name = f"self-{tag}"
        steps = (f'  - foreach:\n      id: f\n      in: "[1,2,3,4,5,6,7,8]"\n      as: x\n      max_items: 8\n      steps:\n'
                 f'        - saga: {{ id: again, name: {name}, version: 1 }}\n')
        put(port, name, definition(name, steps), "starts itself")
        start(name, {}, "starts itself start")

    def bomb():
        text = rng.choice(["a: " + "[" * 20000, "saga: x\n" + "? " * 5000, "\t\0", "saga: &a [*a]", "x" * 1000000,
                           definition(f"deep-{tag}", "  - scope:\n" + "      " * 3 + "steps: [" * 40)])
        put(port, f"bomb-{tag}", text, "bomb")

    def patterns():
        name = f"pattern-{tag}"
        schema = json.dumps({"type": "object", "properties": {"s": {"type": "string", "pattern": "(a|aa)*" * 30 + "b"}},
                             "patternProperties": {"^(x+x+)+y": True}})
        put(port, name, definition(name, "  - { id: s, command: inventory.go, compensate: none }\n", f"input:\n  schema: {schema}\n"), "patterns")
        start(name, {"s": "a" * 50000}, "patterns start")

    def big():
        name = f"big-{tag}"
        put(port, name, definition(name, "".join(f"  - {{ id: s{i}, command: inventory.go, with: {{ a: '{'x' * 900}' }}, compensate: none }}\n"
                                                 for i in range(900))), "a megabyte")

    return [participants, multiplied, switches, itself, bomb, patterns, big]


# ---- the participant: its own user's rights, used for all they are worth ----

def participant_moves(rng, nats, shards):
    pull = "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.inventory"

    def redirected():
        reply = rng.choice([f"saga.ctl.{rng.randrange(shards)}", "saga.start.victim", f"saga.reply.{rng.randrange(shards)}.bench", "saga.signal.victim.go",
                            "saga.child.victim", f"saga.reply.{rng.randrange(shards)}.sagad", "_INBOX_saga.sagad-1.x.r.0", "$JS.ACK.SAGA_IN.engine.1.1.1.1.1",
                            "saga.probe", "saga.cmd.bench.work"])
        nats.publish(pull, b'{"batch":3,"expires":1000000000}', reply)
        note("redirected", "sent")

    def direct():
        subject = rng.choice(["saga.ctl.0", "saga.start.victim", "saga.signal.victim.go", "saga.child.honest", "saga.cmd.bench.work", "saga.event.honest.completed",
                              f"saga.reply.{rng.randrange(shards)}.bench", f"saga.reply.{rng.randrange(shards)}.sagad", "$JS.API.STREAM.PURGE.SAGA_CMD",
                              "$JS.API.STREAM.DELETE.SAGA_REPLY", "$JS.API.CONSUMER.DELETE.SAGA_REPLY.shard-0", "$JS.API.STREAM.MSG.GET.SAGA_IN",
                              "$JS.ACK.SAGA_REPLY.shard-0.1.1.1.1.1", "_INBOX_saga.sagad-1.x.p.1"])
        nats.publish(subject, b'{"op":"verb"}', nats.inbox + ".d")
        note("direct", "sent")

    def garbage():
        shard = rng.choice([rng.randrange(shards), 9999, -1])
        headers = rng.choice([{}, {"Saga-Command": rng.choice(["", "x", "a/b/do/1", "0" * 36 + "/book/do/1", "é" * 300, "/" * 200])},
                              {"Saga-Command": "x", "Saga-Status": "no such"}, {"Saga-Command": "x", "Saga-Retry-After-Ms": "-9999999999999999999"},
                              {f"H{i}": "v" * 50 for i in range(40)}])
        body = rng.choice([b"", b"{", b"[" * 5000, b"\xff\xfe", b'{"a":' * 200 + b"1" + b"}" * 200, b"x" * 900000, b'"\\u0000"'])
        nats.publish(f"saga.reply.{shard}.inventory", body, headers=headers)
        note("garbage", "sent")

    def flood():
        for i in range(500):
            nats.publish(f"saga.reply.{i % shards}.inventory", b"{}", headers={"Saga-Command": f"{i}/x/do/1"})
        note("flood", "sent")

    def answers():
        nats.publish(pull, b'{"batch":20,"expires":500000000}', nats.inbox + ".c")
        nats.turn(0.2)
        taken, nats.messages = nats.messages, []
        for subject, ack, payload in taken:
            if "$JS.ACK" not in ack:
                continue
            head = dict(line.split(": ", 1) for line in payload.partition(b"\r\n\r\n")[0].decode(errors="replace").split("\r\n") if ": " in line)
            for _ in range(rng.randrange(4)):
                status = rng.choice(["ok", "rejected", "retry", "pending", "OK", "banana", ""])
                headers = {"Saga-Command": head.get("Saga-Command", "x"), "Saga-Status": status or "ok"}
                if status == "rejected":
                    headers["Saga-Error-Code"] = rng.choice(["NO", "no way", "x" * 500, "*"])
                nats.publish(head.get("Saga-Reply-To", "saga.reply.0.inventory"), rng.choice([b"{}", b"nonsense", b"null"]), headers=headers)
            nats.publish(ack, rng.choice([b"+ACK", b"-NAK", b"+TERM", b"+WPI", b"+NXT", b"junk"]))
        note("answers", "taken" if taken else "none")

    return [redirected, direct, garbage, flood, answers]


# ---- the starter: saga.start and saga.signal ----

def starter_moves(rng, nats):
    def garbage():
        subject = rng.choice(["saga.start.honest", "saga.start.victim", "saga.start.nope", "saga.start.", "saga.start.a.b.c", "saga.start.VICTIM",
                              "saga.signal.victim.go", "saga.signal.x", "saga.start." + "x" * 300])
        body = rng.choice([b"", b"{", b"\xff", b"[" * 3000, b'{"input":' + b'{"a":' * 100 + b"1" + b"}" * 101, b"x" * 800000, b'{"input":{"card":17}}', b"null"])
        headers = rng.choice([None, {"Saga-Version": "99999999999999999999"}, {"Saga-Key": "k" * 1000}, {"Saga-Saga": "x"}, {f"H{i}": "v" for i in range(60)}])
        nats.publish(subject, body, headers=headers)
        note("garbage", "sent")

    def others():
        nats.publish(rng.choice(["saga.child.victim", "saga.ctl.1", "saga.cmd.bench.work", "saga.reply.0.sagad", "$JS.API.STREAM.PURGE.SAGA_IN"]), b"{}")
        note("others", "sent")

    def flood():
        for i in range(300):
            nats.publish("saga.signal.victim.go", b"{}", headers={"Saga-Definition": "victim", "Saga-Key": f"none-{i}"})
        note("flood", "sent")

    def honest():
        nats.publish("saga.start.victim", b'{"card":"4111-1111-1111-1111"}')
        note("victim", "sent")

    return [garbage, others, flood, honest]


# ---- the HTTP client ----

def client_moves(rng, port, slow):
    def broken():
        text = rng.choice([b"GET / HTTP/1.1\r\n\r\n", b"GET /v1/sagas HTTP/1.1\r\nHost: [x].evil.com\r\n\r\n", b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                           b"POST /v1/sagas HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 200000 + b"\r\n",
                           b"\x16\x03\x01\x02\x00", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET /v1/sagas HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
                           b"POST /v1/sagas HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}xxx"])
        answer = http_raw(port, text, 1.0)
        note("broken", answer[9:12].decode(errors="replace") or "closed")

    def deep():
        body = b'{"definition":"victim","input":' + b"[" * rng.choice([10, 61, 100, 5000]) + b"]" * 5000
        note("deep", http(port, "POST", "/v1/sagas", body)[0])

    def typo():
        note("typo", http(port, "POST", "/v1/sagas", {"definition": "hones", "input": {}})[0])

    def lists():
        path = rng.choice(["/v1/sagas?limit=1000", "/v1/sagas?status=parked&limit=9999999", "/v1/sagas?search.x=%00", "/v1/dead-letters?limit=1000", "/v1/definitions",
                           "/metrics", "/v1/sagas/00000000-0000-7000-8000-000000000000/history", "/v1/sagas/%2e%2e", "/v1/sagas?cursor=" + "A" * 3000])
        note("lists", http(port, "GET", path)[0])

    def verbs():
        status, body = http(port, "GET", "/v1/sagas?definition=victim&limit=20")
        try:
            ids = [saga["id"] for saga in json.loads(body).get("sagas", [])]
        except ValueError:
            ids = []
        for saga in ids[:5]:
            verb = rng.choice(["cancel", "retry", "skip", "force", "pause", "resume", "terminate", "signals", "plan-compensation", "history", "timers"])
            method = "GET" if verb in ("plan-compensation", "history", "timers") else "POST"
            body = None if method == "GET" else {"reason": "x" * rng.choice([1, 5000]), "actor": "\u202e\n\x1b[31m", "event": "victim.go", "step": "nope"}
            note("verbs", http(port, method, f"/v1/sagas/{saga}/{verb}", body)[0])

    def drip():
        try:
            peer = socket.create_connection(("127.0.0.1", port), timeout=1)
            peer.sendall(b"POST /v1/sagas HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n\r\n{")
            slow.append(peer)
        except OSError:
            note("drip", "refused")
        while len(slow) > 150:
            slow.pop(0).close()
        note("drip", "open")

    def waits():
        note("waits", http(port, "POST", "/v1/sagas", {"definition": "victim", "input": {}, "wait": 20}, wait=0.05)[0])

    return [broken, deep, typo, lists, verbs, drip, waits]


def main():
    role, seconds, seed, http_port, nats_port = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    rng = random.Random(f"{role}/{seed}")
    user = {"participant": "inventory", "starter": "web"}.get(role)
    nats = Nats(nats_port, user, PASSWORD) if user else None
    slow = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        moves = {"author": lambda: author_moves(rng, http_port), "participant": lambda: participant_moves(rng, nats, 16),
                 "starter": lambda: starter_moves(rng, nats), "client": lambda: client_moves(rng, http_port, slow)}[role]()
        try:
            rng.choice(moves)()
            if nats:
                nats.turn(0.01)
        except (ConnectionError, BrokenPipeError, socket.timeout):
            tally["connection:lost"] += 1  # the server's way of ending what it does not want
            nats = Nats(nats_port, user, PASSWORD) if user else None
    if nats:
        tally["refused by NATS"] = nats.refused
    print(json.dumps({"role": role, "moves": dict(sorted(tally.items()))}))


main()
