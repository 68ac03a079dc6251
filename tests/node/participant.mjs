// Participants in JavaScript: node participant.mjs NATS-URL NAME…
//
// Each NAME takes its commands from JetStream and is idempotent by Saga-Key; "Rates" is a plain NATS service that knows nothing of
// sagas. What a command is to do is told by "act" in its body:
//   no:CODE      rejected with that code          busy:N       retry for the first N attempts
//   pending:MS   pending, and the work after MS   twice        replies two times
//   silent       works, never replies             maybe        an unknown status at the first attempt, then as ever
// One line of JSON on stdout for each command that came, and one for each effect; "ready" once it takes commands.
import { connect, headers } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";

const [url, ...names] = process.argv.slice(2);
const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 100, waitOnFirstConnect: true });
const js = jetstream(connection);
const log = (entry) => console.log(JSON.stringify(entry));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The barrier in memory: key -> { do: answer, undo: answer, closed }. A process that may die keeps this in its database, in the
// transaction of the effect (deploy/participants/barrier.sql).
const barrier = new Map();
let bookings = 0;

function work(kind, key, subject) {
  const known = barrier.get(key) ?? {};
  barrier.set(key, known);
  if (kind === "undo") {
    if (!known.undo) {
      if (known.do) log({ effect: "undo", key, subject });
      known.undo = { body: { undone: known.do?.body.booking ?? null } };
    }
    return known.undo;
  }
  if (known.undo) return { status: "rejected", code: "UNDONE" };
  if (!known.do) {
    log({ effect: "do", key, subject });
    known.do = { body: { booking: `b-${++bookings}`, grade: "A" } };
  }
  return known.do;
}

async function reply(message, { status, code, after, body = null }) {
  const head = headers();
  head.set("Saga-Command", message.headers.get("Saga-Command"));
  if (status) head.set("Saga-Status", status);
  if (code) head.set("Saga-Error-Code", code);
  if (after) head.set("Saga-Retry-After-Ms", String(after));
  await js.publish(message.headers.get("Saga-Reply-To"), JSON.stringify(body), { headers: head });
}

async function handle(message) {
  const get = (name) => message.headers.get(name);
  const [kind, key, attempt] = [get("Saga-Kind"), get("Saga-Key"), Number(get("Saga-Attempt"))];
  log({ command: get("Saga-Command"), subject: message.subject, kind, key, attempt, body: message.string() });
  const [act, detail] = (JSON.parse(message.string()).act ?? "ok").split(":");
  if (act === "no") await reply(message, { status: "rejected", code: detail });
  else if (act === "busy" && attempt <= Number(detail)) await reply(message, { status: "retry", code: "BUSY", after: 20 });
  else if (act === "maybe" && attempt === 1) await reply(message, { status: "maybe" });
  else {
    for (let left = act === "pending" ? Number(detail) : 0; left > 0; left -= 500) {
      await reply(message, { status: "pending" });
      await pause(Math.min(left, 500));
    }
    const answer = work(kind, key, message.subject);
    if (act === "twice") await reply(message, answer);
    if (act !== "silent") await reply(message, answer);
  }
  message.ack();
}

// The engine makes the consumer once a definition names the participant; when the broker or the engine restarts, ask again.
async function participate(name) {
  for (;;) {
    try {
      const consumer = await js.consumers.get("SAGA_CMD", name);
      log({ ready: name });
      const messages = await consumer.consume({ max_messages: 32 });
      for await (const message of messages) handle(message).catch((error) => log({ error: String(error) }));
    } catch (error) {
      log({ waiting: name, error: String(error) });
    }
    await pause(100);
  }
}

function serve(name) {
  connection.subscribe(`${name}.v2.quote`, {
    callback: (_, message) => {
      log({ request: message.subject, body: message.string() });
      const [act, detail] = (JSON.parse(message.string()).act ?? "ok").split(":");
      const head = headers();
      if (act === "no") {
        head.set("Nats-Service-Error-Code", detail);
        head.set("Nats-Service-Error", "this amount has no rate");
      }
      message.respond(act === "no" ? "" : '{"rate":4.250}', { headers: head });
    },
  });
  log({ ready: name });
}

for (const name of names) name === "Rates" ? serve(name) : participate(name);
process.on("SIGTERM", () => process.exit(0));
