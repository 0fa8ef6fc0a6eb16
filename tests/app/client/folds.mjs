// The Map equals the view after every change, though the connection is cut at random.
import assert from "node:assert";
import { connect } from "../../../app/static/tailrace.js";

const url = process.argv[2];

async function sql(query) {
  const reply = await fetch(`${url}/api/sql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
  const { results } = await reply.json();
  for (const result of results) assert(!result.error, JSON.stringify(result.error));
  return results.at(-1).rows;
}

// Sockets that the test can cut.
const sockets = new Set();
const Plain = globalThis.WebSocket;
globalThis.WebSocket = class extends Plain {
  constructor(...given) {
    super(...given);
    sockets.add(this);
    this.addEventListener("close", () => sockets.delete(this));
  }
};
const cut = () => sockets.forEach((socket) => socket.close());

await sql(`CREATE TABLE js (k int, v int); CREATE MATERIALIZED VIEW js_sums AS SELECT k, sum(v) AS s FROM js GROUP BY k`);
const tailrace = connect(url);
const sums = tailrace.view("js_sums");
const bag = tailrace.query("SELECT v FROM js");
let changes = 0;
let resets = 0;
sums.addEventListener("change", ({ detail }) => {
  changes += 1;
  resets += detail.reset;
});
await Promise.all([sums.ready, bag.ready]);
assert.deepEqual(sums.columns.map(({ name }) => name), ["k", "s"]);
assert.equal(sums.size, 0);

async function until(holds) {
  const end = Date.now() + 20000;
  while (!(await holds())) {
    assert(Date.now() < end, "it never came true");
    await new Promise((done) => setTimeout(done, 5));
  }
}

for (let round = 0; round < 30; round++) {
  await sql(`INSERT INTO js VALUES (${round % 4}, ${round}), (${round % 3}, 1)`);
  if (round % 5 === 4) await sql(`DELETE FROM js WHERE k = ${round % 4}`);
  if (round % 3 === 0) cut();
}
const expected = await sql("SELECT k, s FROM js_sums");
const values = await sql("SELECT v, count(*) FROM js GROUP BY v");
const folded = () =>
  sums.size === expected.length &&
  expected.every(([k, s]) => sums.get(k)?.s === s) &&
  bag.size === values.length &&
  values.every(([v, n]) => bag.count(JSON.stringify([v])) === Number(n));
await until(folded);
assert.equal(resets, 1, "only the first snapshot replaced the contents");
assert(changes > 1);
assert.deepEqual([...sums.keys()].sort(), expected.map(([k]) => k).sort());
assert.deepEqual(sums.get(expected[0][0]), { k: expected[0][0], s: expected[0][1] });
sums.close();
tailrace.close();
assert.equal(tailrace.state, "closed");
