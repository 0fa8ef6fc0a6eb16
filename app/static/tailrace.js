/**
 * Live views in the browser (or in Node 22 and later): a Map that is a view of Tailrace, kept up to date over one websocket.
 *
 *     import { connect } from "/static/tailrace.js";
 *     const tailrace = connect();                        // the server that the page is from
 *     const totals = tailrace.view("totals");            // or tailrace.query("SELECT ...", { key: ["k"] })
 *     totals.addEventListener("change", () => draw([...totals.values()]));
 *     await totals.ready;                                // the first snapshot is there
 *
 * Law: between two "change" events the Map is exactly the view as of `timestamp`. When the connection is lost the Map stays
 * as it was; when it is back, the changes since are applied, none twice, none missed; if the server no longer has them, a
 * new snapshot replaces the contents in one step.
 *
 * Keys: with one key column its value, with several JSON.stringify of their values. Where no key is known (and none is
 * given) JSON.stringify of the whole row, and `count(key)` tells how often the row is there. Values are as in the HTTP API:
 * numbers are strings, because JavaScript's numbers are doubles; booleans and jsonb are JavaScript's own; NULL is null.
 */

const BACKOFF_MS = [100, 250, 500, 1000, 2000, 5000, 10000];
const ACKNOWLEDGE_MS = 1000;

/** Connect to a server. `url` is http(s) or ws(s); by default where the page is from. */
export function connect(url, options = {}) {
  return new Connection(url, options);
}

/**
 * One websocket for any number of views; it connects again by itself until it is closed.
 * Events: "state", whenever `state` changes: "connecting", "open", "waiting" (to connect again), "closed".
 */
export class Connection extends EventTarget {
  #url;
  #auth;
  #socket = null;
  #views = new Map();
  #ids = 0;
  #attempt = 0;
  #timer = null;
  #watch = null;
  #silence_ms = 30000;
  #heard = 0;
  #wait_ms = null;
  state = "connecting";

  /** `user` and `password`, or `token`, where the server asks who it talks to. */
  constructor(url, { user, password, token } = {}) {
    super();
    const base = new URL(url ?? "/", globalThis.location?.href);
    base.protocol = base.protocol.replace("http", "ws");
    this.#url = new URL("/api/subscribe", base).href;
    this.#auth = token !== undefined ? { type: "auth", token } : user !== undefined ? { type: "auth", user, password } : null;
    this.#open();
  }

  /** A relation as a live Map. `key`: columns in which no two rows agree, if the server does not know them. */
  view(name, { key } = {}) {
    return this.#begin({ view: name, key });
  }

  /** The answer of a SELECT as a live Map. */
  query(sql, { key } = {}) {
    return this.#begin({ query: sql, key });
  }

  /** End all views and the connection. */
  close() {
    if (this.state === "closed") return;
    for (const view of [...this.#views.values()]) view.close();
    this.#enter("closed");
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#socket?.close();
  }

  #begin(about) {
    if (this.state === "closed") throw new Error("the connection is closed");
    const id = String(++this.#ids);
    const view = new LiveView(about, {
      acknowledge: (timestamp) => this.#say({ type: "ack", id, timestamp }),
      again: () => this.#subscribe(id, view),
      close: () => {
        if (this.#views.delete(id)) this.#say({ type: "unsubscribe", id });
      },
    });
    this.#views.set(id, view);
    this.#subscribe(id, view);
    return view;
  }

  #subscribe(id, view) {
    this.#say({ type: "subscribe", id, ...view.request() });
  }

  #say(message) {
    if (this.state === "open") this.#socket.send(JSON.stringify(message));
  }

  #enter(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  #open() {
    this.#enter("connecting");
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.onopen = () => {
      this.#heard = Date.now();
      this.#enter("open");
      if (this.#auth) this.#say(this.#auth);
      for (const [id, view] of this.#views) this.#subscribe(id, view);
      // A connection that says nothing for twice a heartbeat is dead, though nobody has closed it.
      this.#watch = setInterval(() => {
        if (Date.now() - this.#heard > this.#silence_ms) this.#lost(socket);
      }, 1000);
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#heard = Date.now();
      this.#attempt = 0;
      this.#hear(JSON.parse(event.data));
    };
    socket.onclose = () => this.#lost(socket);
    socket.onerror = () => {}; // `close` follows
  }

  #lost(socket) {
    if (socket !== this.#socket || this.state === "closed") return;
    clearInterval(this.#watch);
    this.#socket = null;
    socket.close();
    this.#enter("waiting");
    const backoff = BACKOFF_MS[Math.min(this.#attempt++, BACKOFF_MS.length - 1)];
    // At random, so that the clients of a server that restarts do not all come at once.
    const ms = (this.#wait_ms ?? backoff) * (0.5 + Math.random());
    this.#wait_ms = null;
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  #hear(message) {
    if (message.type === "goodbye") {
      this.#wait_ms = message.reconnect_ms;
    } else if (message.id === undefined) {
      if (message.type === "error") {
        this.dispatchEvent(new CustomEvent("error", { detail: message.error }));
      }
    } else {
      if (message.type === "subscribed") this.#silence_ms = 2 * message.heartbeat_ms + 1000;
      this.#views.get(message.id)?.hear(message);
    }
  }
}

/**
 * A view as a Map from key to row, a row being an object with the columns as members. Read it like a Map; it has no set or
 * delete. Events:
 *   "change"  after the Map moved to another time; detail is { timestamp, changes, reset }, changes being
 *             [{ key, before, after }] with undefined for no row
 *   "error"   the view cannot be read (detail is { message, code, ... }); it is tried again, unless it does not exist
 */
export class LiveView extends EventTarget {
  #about;
  #connection;
  #rows = new Map();
  #counts = new Map();
  #columns = [];
  #key = null;
  #token = null;
  #parts = [];
  #fresh = true; // what comes next is a snapshot that replaces the contents
  #acknowledged = 0;
  #retry = null;
  #settle;
  closed = false;
  /** The time in ms that the contents are true at; 0 before the first snapshot. */
  timestamp = 0;
  /** Resolves with this view when its first snapshot is there; rejects if the view cannot be subscribed to. */
  ready;

  constructor(about, connection) {
    super();
    this.#about = about;
    this.#connection = connection;
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.ready.catch(() => {}); // whoever waits is told; nobody has to
  }

  get size() { return this.#rows.size; }
  get columns() { return this.#columns; }
  get(key) { return this.#rows.get(key); }
  has(key) { return this.#rows.has(key); }
  keys() { return this.#rows.keys(); }
  values() { return this.#rows.values(); }
  entries() { return this.#rows.entries(); }
  forEach(visit, self) { this.#rows.forEach((row, key) => visit.call(self, row, key, this)); }
  [Symbol.iterator]() { return this.#rows.entries(); }

  /** How often the row with this key is there: more than once only where no key is known. */
  count(key) { return this.#counts.get(key) ?? 0; }

  /** No more changes; the contents stay. */
  close() {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.#retry);
    this.#connection.close();
  }

  /** For the connection: what to ask the server for. */
  request() {
    this.#parts = [];
    return this.#token === null ? { ...this.#about } : { ...this.#about, resume: this.#token };
  }

  /** For the connection: a message of the server. */
  hear(message) {
    switch (message.type) {
      case "subscribed":
        this.#columns = message.columns;
        this.#key = message.key?.map((name) => message.columns.findIndex((column) => column.name === name)) ?? null;
        this.#fresh = message.resumed !== true;
        break;
      case "changes":
        this.#parts.push(...message.changes);
        if (!message.more) {
          const changes = this.#parts;
          this.#parts = [];
          this.#apply(changes, message.timestamp);
          this.#reached(message.token, message.progress);
        }
        break;
      case "progress":
        this.timestamp = message.timestamp;
        this.#reached(message.token, message.timestamp);
        break;
      case "error":
        this.#failed(message.error);
        break;
    }
  }

  #reached(token, timestamp) {
    this.#token = token;
    this.#settle.resolve(this);
    if (timestamp - this.#acknowledged >= ACKNOWLEDGE_MS) {
      this.#acknowledged = timestamp;
      this.#connection.acknowledge(timestamp);
    }
  }

  #failed(error) {
    this.dispatchEvent(new CustomEvent("error", { detail: error }));
    this.#settle.reject(Object.assign(new Error(error.message), error));
    // What is wrong with the request (class 42: names, syntax) stays wrong; a view that fails may heal.
    if (!this.closed && !error.code.startsWith("42")) {
      this.#retry = setTimeout(() => this.#connection.again(), 1000);
    }
  }

  #keyOf(row) {
    if (this.#key === null) return JSON.stringify(row);
    return this.#key.length === 1 ? row[this.#key[0]] : JSON.stringify(this.#key.map((at) => row[at]));
  }

  #objectOf(row) {
    return Object.fromEntries(this.#columns.map((column, at) => [column.name, row[at]]));
  }

  /** All changes of one time: rows that go first, for a key may come with another row. */
  #apply(changes, timestamp) {
    const before = new Map();
    const touch = (key) => {
      if (!before.has(key)) before.set(key, this.#rows.get(key));
    };
    const reset = this.#fresh;
    if (reset) {
      for (const key of this.#rows.keys()) touch(key);
      this.#rows.clear();
      this.#counts.clear();
      this.#fresh = false;
    }
    for (const { diff, row } of changes) {
      if (diff > 0) continue;
      const key = this.#keyOf(row);
      touch(key);
      this.#add(key, diff);
    }
    for (const { diff, row } of changes) {
      if (diff < 0) continue;
      const key = this.#keyOf(row);
      touch(key);
      this.#add(key, diff);
      this.#rows.set(key, this.#objectOf(row));
    }
    this.timestamp = timestamp;
    const moved = [];
    for (const [key, row] of before) {
      const after = this.#rows.get(key);
      if (reset ? JSON.stringify(row) !== JSON.stringify(after) : row !== after) moved.push({ key, before: row, after });
    }
    if (moved.length || reset) {
      this.dispatchEvent(new CustomEvent("change", { detail: { timestamp, changes: moved, reset } }));
    }
  }

  #add(key, diff) {
    const count = (this.#counts.get(key) ?? 0) + diff;
    if (count > 0) {
      this.#counts.set(key, count);
    } else {
      this.#counts.delete(key);
      this.#rows.delete(key);
    }
  }
}
