// node-postgres and postgres.js against one URL; what was found leaves as one JSON object.
import pg from "pg";
import Cursor from "pg-cursor";
import postgres from "postgres";

const url = process.argv[2];
const found = {};

const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query("CREATE TABLE node_items (id bigint PRIMARY KEY, name text, tags text[], at timestamptz)");
await client.query("INSERT INTO node_items VALUES ($1, $2, $3, $4)", [1, "a", ["x", "y"], new Date(0)]);
found.row = (await client.query("SELECT * FROM node_items WHERE id = $1", [1])).rows;
found.named = (await client.query({ name: "q", text: "SELECT $1::int + 1 AS n", values: [41] })).rows[0].n;
await client.query("BEGIN");
await client.query("INSERT INTO node_items VALUES (2, 'b')");
await client.query("ROLLBACK");
const cursor = client.query(new Cursor("SELECT generate_series(1, 10) AS n"));
found.cursor = (await cursor.read(4)).map((row) => row.n);
await cursor.close();
found.error = await client.query("SELECT nope").catch((error) => error.code);
await client.end();

const pool = new pg.Pool({ connectionString: url, max: 3 });
const answers = await Promise.all([1, 2, 3, 4, 5].map((n) => pool.query("SELECT $1::int * 2 AS n", [n])));
found.pool = answers.map((answer) => answer.rows[0].n);
await pool.end();

const sql = postgres(url, { onnotice: () => {} });
await sql`INSERT INTO node_items ${sql([{ id: 3, name: "c" }, { id: 4, name: "d" }], "id", "name")}`;
found.tagged = await sql`SELECT id, name FROM node_items WHERE id = ANY(${[3, 4]}) ORDER BY id`;
found.transaction = await sql.begin(async (inner) => {
  await inner`DELETE FROM node_items WHERE id = ${3}`;
  return (await inner`SELECT count(*)::int AS n FROM node_items`)[0].n;
});
found.arrays = (await sql`SELECT tags, at FROM node_items WHERE id = 1`)[0];
await sql.end();
console.log(JSON.stringify(found));
