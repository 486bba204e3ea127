// The server's endpoints, and the queue in which ratings wait until they are saved.

const CODE = "kmspeaker-study-code", WAITING = "kmspeaker-study-waiting";
const FIRST_PAUSE = 500, LONGEST_PAUSE = 20_000, PATIENCE = 3, TIMEOUT = 20_000, SETTLE = 3000;

let code = recall(CODE);

// A frame may forbid storage: then the code is kept while the page is open, and can be typed again.
function recall(key) {
  try { return sessionStorage.getItem(key); } catch { return null; }
}
function keep(key, value) {
  try {
    if (value == null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch { /* kept in memory alone */ }
}

export const myCode = () => code;
export function setCode(value) {
  code = value;
  keep(CODE, value);
  if (value == null) keep(WAITING, null);
}

export class Refusal extends Error {
  // status is 0 where the server was not reached.
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
  get passes() { return this.status === 0 || this.status >= 500; }
}

export async function ask(path, body, token = code, timeout = TIMEOUT) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const options = { headers, cache: "no-store", signal: AbortSignal.timeout(timeout) };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body), keepalive: true });
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(0, "The server is not reached; is there a connection?");
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Refusal(response.status, told.sentence ?? `The server answers ${response.status}.`);
  }
  return response;
}

export const askJson = async (path, body, token, timeout) => (await ask(path, body, token, timeout)).json();

export function newName() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

// Sends in order, one at a time, again and again until it is saved; nothing is sent that was
// refused for good. Each save has a name, so that one sent twice is counted once.
export class Saver extends EventTarget {
  #waiting = [];
  #sending = null;
  #wake = () => {};

  constructor() {
    super();
    try {
      const left = JSON.parse(recall(WAITING) ?? "null");
      if (left?.code === code && Array.isArray(left?.waiting)) this.#waiting = left.waiting;
    } catch { /* nothing was left */ }
    window.addEventListener("online", () => this.#wake());
    window.addEventListener("beforeunload", (event) => {
      if (this.#waiting.length) event.preventDefault();
    });
  }

  // Sends what the window was closed over; not for long, for it is sent on meanwhile.
  settle() {
    return Promise.race([this.flush(), new Promise((resolve) => setTimeout(resolve, SETTLE))]);
  }

  get waiting() { return this.#waiting; }

  add(path, body) {
    this.#waiting.push({ path, body });
    this.#remember();
    return this.flush();
  }

  forget() {
    this.#waiting = [];
    this.#remember();
  }

  // Resolves when nothing waits.
  flush() {
    this.#sending ??= this.#send().finally(() => { this.#sending = null; });
    return this.#sending;
  }

  async #send() {
    if (!this.#waiting.length) return;
    let failures = 0;
    while (this.#waiting.length) {
      const first = this.#waiting[0];
      this.#tell("saving", failures);
      try {
        await ask(first.path, first.body);
      } catch (error) {
        if (error.passes || error.status === 429) {
          failures += 1;
          const pause = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE);
          this.#tell("failed", failures, error.message);
          await new Promise((resolve) => { this.#wake = resolve; setTimeout(resolve, pause); });
          continue;
        }
        this.#done(first);
        this.#tell("refused", 0, error.message, error.status);
        continue;
      }
      failures = 0;
      this.#done(first);
    }
    this.#tell("saved", 0);
  }

  #done(first) {
    if (this.#waiting[0] === first) this.#waiting.shift();
    this.#remember();
  }

  #remember() {
    keep(WAITING, this.#waiting.length ? JSON.stringify({ code, waiting: this.#waiting }) : null);
  }

  #tell(state, failures, sentence = "", status = 0) {
    const detail = { state, sentence, status, rescue: failures >= PATIENCE };
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }
}
