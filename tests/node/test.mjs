// A definition and outcomes that no other test knows, with participants in JavaScript, over HTTP and NATS, against real servers.
import assert from "node:assert/strict";
import { connect, headers } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
import * as stage from "./stage.mjs";

const PARTICIPANTS = ["scoring", "ledger", "letters", "Rates"];
const NUMBER = "9007199254740993"; // 2^53 + 1: no double holds it
const tests = [];
const test = (name, body) => tests.push({ name, body });

const input = (loan, acts = {}) => `{"loan":"${loan}","applicant":{"name":"Ada","number":${NUMBER}},"amount":1000.10,"acts":${JSON.stringify(acts)}}`;
const start = (loan, acts, wait = "30s") => stage.call("POST", "/v1/sagas", `{"definition":"loan","wait":"${wait}","input":${input(loan, acts)}}`);
const get = (id) => stage.call("GET", `/v1/sagas/${id}`);
const step = (saga, id) => saga.steps.find((one) => one.id === id);
const commands = (id) => stage.log.filter((entry) => entry.command?.startsWith(`${id}/`));
const order = (id) => commands(id).map((entry) => `${entry.key.split("/")[1]}/${entry.kind}/${entry.attempt}`);
const status = (id, ...wanted) => stage.until(`${id} to be ${wanted}`, async () => {
  const answer = await get(id);
  return wanted.includes(answer.json.status) ? answer.json : null;
});

async function ends(loan, acts, wanted) {
  const answer = await start(loan, acts);
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.json.status, wanted, answer.text);
  return answer;
}

test("a loan completes, and numbers keep their text all the way", async () => {
  const { json, text } = await ends("plain", {}, "completed");
  assert.match(text, new RegExp(`"output":\\{"loan":"plain","number":${NUMBER},"amount":1000\\.10,"rate":4\\.250,"grade":"A","account":"b-\\d+"\\}`));
  assert.deepEqual(order(json.id), ["rate/do/1", "reserve/do/1", "open/do/1", "letter/do/1"]);
  const [rate, reserve, open] = commands(json.id);
  assert.equal(rate.body, `{"number":${NUMBER},"act":null}`);
  assert.equal(reserve.body, '{"amount":1000.10,"fee":10.001,"act":null}');
  assert.equal(open.body, `{"note":"Ada (${NUMBER}): 1000.10","act":null}`);
  assert.equal(rate.key, `${json.id}/rate`);
});

test("a rejection that may be ignored is ignored", async () => {
  const { json } = await ends("unknown", { rate: "no:NO_HISTORY" }, "completed");
  assert.equal(json.output.grade, null);
  assert.match(commands(json.id).at(-1).body, /^\{"grade":"unknown"/);
});

test("a rejection undoes what was done, in reverse order, with what was learned", async () => {
  const { json } = await ends("refused", { letter: "no:NO_PAPER" }, "compensated");
  assert.equal(json.reason.code, "NO_PAPER");
  assert.equal(json.reason.step, "letter");
  assert.deepEqual(order(json.id), ["rate/do/1", "reserve/do/1", "open/do/1", "letter/do/1", "open/undo/1", "reserve/undo/1"]);
  const free = JSON.parse(commands(json.id).at(-1).body);
  assert.equal(free.because, "NO_PAPER");
  assert.equal(free.booking, step(json, "reserve").output.booking);
});

test("the first step's rejection by a plain NATS service leaves nothing to undo", async () => {
  const { json } = await ends("no-rate", { quote: "no:422" }, "compensated");
  assert.equal(json.reason.code, "422");
  assert.deepEqual(order(json.id), []);
});

test("retry is asked again, with the same key", async () => {
  const { json } = await ends("busy", { reserve: "busy:2" }, "completed");
  assert.equal(step(json, "reserve").attempts.do, 3);
  assert.deepEqual(order(json.id).slice(1, 4), ["reserve/do/1", "reserve/do/2", "reserve/do/3"]);
});

test("a step that is busy for good fails, and nothing of it is undone", async () => {
  const { json } = await ends("too-busy", { open: "busy:99" }, "compensated");
  assert.deepEqual(order(json.id).slice(-4), ["open/do/1", "open/do/2", "open/do/3", "reserve/undo/1"]);
});

test("pending, said in time and again, gives more time than one attempt has", async () => {
  const { json } = await ends("pending", { open: "pending:2500" }, "completed");
  assert.equal(step(json, "open").attempts.do, 1);
});

test("a reply that comes twice counts once", async () => {
  const { json } = await ends("twice", { reserve: "twice", open: "twice" }, "completed");
  const { json: history } = await stage.call("GET", `/v1/sagas/${json.id}/history`);
  assert.equal(history.items.length, 6);
});

test("a step that never answers is in doubt, and undone with nothing known of it", async () => {
  const { json } = await ends("silent", { open: "silent" }, "compensated");
  assert.equal(json.reason.code, "TIMEOUT");
  assert.deepEqual(order(json.id).slice(-5), ["open/do/1", "open/do/2", "open/do/3", "open/undo/1", "reserve/undo/1"]);
  assert.equal(commands(json.id).at(-2).body, '{"account":null}');
});

test("an unknown status is a dead letter, and the attempt is repeated", async () => {
  const { json } = await ends("maybe", { reserve: "maybe" }, "completed");
  assert.equal(step(json, "reserve").attempts.do, 2);
  const { json: letters } = await stage.call("GET", "/v1/dead-letters");
  const mine = letters.items.filter((letter) => JSON.stringify(letter).includes(json.id));
  assert.equal(mine.length, 1);
  assert.match(mine[0].reason, /maybe/);
});

test("a compensation that is refused parks the saga, until an operator skips it", async () => {
  const { json: parked } = await ends("stuck", { letter: "no:NO_PAPER", free: "no:NEVER" }, "parked");
  assert.equal(parked.park.code, "NEVER");
  assert.equal(parked.park.step, "reserve");
  assert.equal(parked.reason.code, "NO_PAPER");
  const wordless = await stage.call("POST", `/v1/sagas/${parked.id}/skip`, '{"actor":"eve"}');
  assert.equal(wordless.status, 400, wordless.text);
  const skip = await stage.call("POST", `/v1/sagas/${parked.id}/skip`, '{"reason":"freed by hand","actor":"eve"}');
  assert.equal(skip.status, 200, skip.text);
  assert.equal((await status(parked.id, "compensated")).reason.code, "NO_PAPER");
});

test("cancel undoes, and a command that is late has no effect any more", async () => {
  const begun = await start("cancelled", { open: "pending:3000" }, "1ms");
  await stage.until("open to be asked", () => order(begun.json.id).includes("open/do/1"));
  const cancel = await stage.call("POST", `/v1/sagas/${begun.json.id}/cancel`, '{"reason":"changed my mind","actor":"ada"}');
  assert.equal(cancel.status, 200, cancel.text);
  const saga = await status(begun.json.id, "compensated");
  assert.equal(order(saga.id).at(-1), "reserve/undo/1");
  const again = await stage.call("POST", `/v1/sagas/${saga.id}/cancel`, '{"reason":"again","actor":"ada"}');
  assert.equal(again.status, 409, again.text);
});

test("one key is one saga", async () => {
  const first = await start("same", {});
  const second = await start("same", {});
  assert.equal(first.status, 201);
  assert.equal(second.status, 200);
  assert.equal(second.json.id, first.json.id);
  assert.equal((await start("same", { rate: "no:OTHER" })).status, 409);
});

test("an input that does not fit is refused with a pointer to each problem", async () => {
  const answer = await stage.call("POST", "/v1/sagas", '{"definition":"loan","input":{"loan":"","applicant":{"name":"Ada"},"amount":"much"}}');
  assert.equal(answer.status, 422);
  for (const pointer of ["/loan", "/applicant", "/amount"]) assert.ok(answer.text.includes(pointer), `${pointer} in ${answer.text}`);
});

test("lists find it by its attributes", async () => {
  const { json } = await stage.call("GET", "/v1/sagas?search.name=Ada&search.large=true&status=compensated&limit=2");
  assert.equal(json.items.length, 2);
  assert.ok(json.items.every((saga) => saga.definition === "loan" && saga.status === "compensated"));
  const { json: none } = await stage.call("GET", "/v1/sagas?search.name=Bob");
  assert.deepEqual(none.items, []);
});

test("started by a message, and its end heard as an event", async () => {
  const connection = await connect({ servers: stage.nats });
  try {
    const events = connection.subscribe("saga.event.loan.>");
    const head = headers();
    head.set("Saga-Correlation-Id", "c-1");
    await jetstream(connection).publish("saga.start.loan", input("by-message"), { headers: head });
    const heard = [];
    const timer = setTimeout(() => events.unsubscribe(), 30000);
    for await (const event of events) {
      if (event.json().key !== "by-message") continue;
      heard.push(event.subject);
      if (event.subject.endsWith(".completed")) break;
    }
    clearTimeout(timer);
    assert.deepEqual(heard, ["saga.event.loan.started", "saga.event.loan.completed"]);
  } finally {
    await connection.close();
  }
});

test("kill -9 of the engine and its servers in the middle of a step: it goes on", async () => {
  const begun = await start("killed", { open: "pending:1000" }, "1ms");
  await stage.until("open to be asked", () => order(begun.json.id).includes("open/do/1"));
  await stage.killSagad();
  await stage.startSagad();
  const saga = await status(begun.json.id, "completed", "compensated", "parked");
  assert.equal(saga.status, "completed", JSON.stringify(saga));
});

test("no effect happened twice, none after its undo, and the sum is right", async () => {
  const { json } = await stage.call("GET", "/v1/sagas?limit=200");
  const effects = new Map();
  for (const { effect, key } of stage.log.filter((entry) => entry.effect)) effects.set(key, (effects.get(key) ?? "") + effect);
  for (const [key, history] of effects) assert.ok(["do", "doundo"].includes(history), `${key}: ${history}`);
  for (const { id, status: end } of json.items)
    for (const part of ["reserve", "open"]) {
      const skipped = end === "compensated" && effects.get(`${id}/${part}`) === "do";
      const saga = skipped ? (await get(id)).json : null;
      if (end === "completed") assert.equal(effects.get(`${id}/${part}`), "do", `${id}/${part}`);
      else if (skipped) assert.match(step(saga, part).state, /waived/, `${id}/${part}`);
    }
});

test("every saga replays to the same decisions, and none waits for nothing", async () => {
  const replay = await stage.run("engine/sagactl/sagactl", "replay", "--all", "--json");
  assert.equal(replay.status, 0, replay.text.slice(-2000));
  const doctor = await stage.run("engine/sagactl/sagactl", "doctor");
  assert.equal(doctor.status, 0, doctor.text);
});

let passed = 0;
let failed = 0;
async function attempt(name, body) {
  try {
    await body();
    passed++;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${error.stack ?? error}`);
  }
}

await attempt("sagad and the participants start", async () => {
  await stage.startSagad();
  await stage.startParticipants(PARTICIPANTS);
});
if (failed === 0) for (const { name, body } of tests) await attempt(name, body);
await attempt("sagad ends in order", async () => {
  const { status: code, said } = await stage.stop();
  if (failed > 0) console.log(said.split("\n").slice(-40).join("\n"));
  assert.doesNotMatch(said, /Sanitizer|runtime error/);
  assert.equal(code, 0);
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
