// sagad dev and the participants as processes, and what a client does: started, watched and ended here, each by its own handle.
import { spawn } from "node:child_process";
import { mkdtempSync, chmodSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PATIENCE_MS = 60000;
const build = process.env.SAGA_BINARY_DIR;
const source = process.env.SAGA_SOURCE_DIR;
const folder = mkdtempSync(join(tmpdir(), "saga-node-"));
chmodSync(folder, 0o755);

export const log = []; // of the participants
export let http, nats, postgres;
let sagad, participants;

export async function until(what, ask) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function onLines(stream, take) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  });
}

const ended = (child) => (child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once("exit", resolve)));

export async function startSagad() {
  const errors = openSync(join(folder, "sagad.log"), "a");
  const args = ["dev", "--data", join(folder, "data"), "--definitions", join(source, "tests/node/definitions"), "--http-address", "127.0.0.1:0"];
  let ready;
  sagad = spawn(join(build, "engine/sagad/sagad"), args, { stdio: ["ignore", "pipe", errors] });
  onLines(sagad.stdout, (line) => (ready = /^ready http=(\S+) nats=(\S+) postgres=(\S+)$/.exec(line) ?? ready));
  await until("sagad", () => {
    if (sagad.exitCode !== null) throw new Error(`sagad ended with ${sagad.exitCode}`);
    return ready;
  });
  [, http, nats, postgres] = ready;
}

export async function killSagad() {
  sagad.kill("SIGKILL");
  await ended(sagad);
}

export async function startParticipants(names) {
  participants = spawn(process.execPath, ["participant.mjs", nats, ...names], { stdio: ["ignore", "pipe", "inherit"] });
  onLines(participants.stdout, (line) => log.push(JSON.parse(line)));
  await until("participants", () => names.every((name) => log.some((entry) => entry.ready === name)));
}

// Ends everything; what sagad and its sanitizers said is returned.
export async function stop() {
  for (const child of [participants, sagad]) {
    if (child) {
      child.kill("SIGTERM");
      await ended(child);
    }
  }
  const said = readFileSync(join(folder, "sagad.log"), "utf8");
  rmSync(folder, { recursive: true, force: true });
  return { status: sagad?.exitCode, said };
}

// `body` is text, so that numbers go out as they stand.
export async function call(method, path, body) {
  const response = await fetch(http + path, { method, body, headers: body ? { "content-type": "application/json" } : {} });
  const text = await response.text();
  return { status: response.status, text, json: /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : null };
}

export function run(program, ...args) {
  return new Promise((resolve) => {
    const child = spawn(join(build, program), args, { env: { ...process.env, SAGAD_URL: http, SAGAD_DATABASE: postgres } });
    let text = "";
    child.stdout.on("data", (part) => (text += part));
    child.stderr.on("data", (part) => (text += part));
    child.once("close", (status) => resolve({ status, text }));
  });
}
