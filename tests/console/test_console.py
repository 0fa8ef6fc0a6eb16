"""The console in a real browser: what a person types, sees, and goes on seeing when the connection comes back."""

import httpx
from playwright.sync_api import Page, expect

from app.main import Running
from tests.console.conftest import Way


def sql(server: Running, query: str) -> list[dict]:
    reply = httpx.post(f"http://{server.http}/api/sql", json={"query": query})
    return reply.json()["results"]


def typed(page: Page, text: str) -> None:
    """Type statements and run them, with the keyboard alone."""
    page.keyboard.press("Alt+1")
    page.fill("#sql", text)
    page.keyboard.press("Control+Enter")


def rows(page: Page) -> list[str]:
    """The grid's rows in sight, from top to bottom."""
    found = page.eval_on_selector_all(
        ".grid .row:not(.gone)",
        """rows => rows.map(row => [new DOMMatrix(row.style.transform).f, row])
            .sort((a, b) => a[0] - b[0])
            .map(each => [...each[1].children].map(cell => cell.textContent).join("|"))""",
    )
    assert isinstance(found, list)
    return found


def wait_for_rows(page: Page, expected: list[str]) -> None:
    """Until the grid stands so; the assertion says what it shows instead."""
    for _ in range(100):
        if rows(page) == expected:
            return
        page.wait_for_timeout(50)
    assert rows(page) == expected


def test_a_beginner_is_shown_a_beginning(page: Page, server: Running):
    page.click("text=A table, and a view of it")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".answer").last.locator("tbody tr")).to_have_text(["north110", "south120"])
    sql(server, "DROP TABLE sales CASCADE")


def test_on_a_narrow_screen_the_objects_are_a_drawer(page: Page, server: Running):
    sql(server, "CREATE TABLE narrow (shop text); INSERT INTO narrow VALUES ('north')")
    page.set_viewport_size({"width": 390, "height": 844})
    drawer = page.locator("#side")
    expect(drawer).not_to_be_visible()
    expect(page.locator("#keys")).to_be_in_viewport()
    page.click("#objects")
    expect(drawer).to_be_visible()
    page.click("#tree li[data-id]:has-text('narrow')")
    expect(drawer).not_to_be_visible()
    wait_for_rows(page, ["north"])


def test_the_first_minute(page: Page, server: Running):
    """Create a view, look at it, insert over HTTP: the cell changes without a reload."""
    page.evaluate("window.notReloaded = true")
    typed(
        page,
        "CREATE TABLE sales (shop text, amount bigint);\n"
        "CREATE MATERIALIZED VIEW totals AS\n"
        "  SELECT shop, count(*) AS n, sum(amount) AS total FROM sales GROUP BY shop;\n"
        "INSERT INTO sales VALUES ('north', 10), ('south', 20);\nSELECT * FROM sales ORDER BY shop",
    )
    expect(page.locator(".answer")).to_have_count(4)
    expect(page.locator(".answer").last.locator("tbody tr")).to_have_text(["north10", "south20"])
    page.click("#tree li[data-id]:has-text('totals')")
    wait_for_rows(page, ["north|1|10", "south|1|20"])
    page.evaluate("document.addEventListener('animationstart', e => (window.flashed = e.target.textContent), true)")
    reply = httpx.post(f"http://{server.http}/api/tables/sales/rows", json=[{"shop": "north", "amount": 32}])
    assert reply.status_code == 201, reply.text
    wait_for_rows(page, ["north|2|42", "south|1|20"])
    page.wait_for_function("['2', '42'].includes(window.flashed)")  # told with the next frame
    sql(server, "INSERT INTO sales VALUES ('east', 1); DELETE FROM sales WHERE shop = 'south'")
    wait_for_rows(page, ["east|1|1", "north|2|42"])
    page.click(".grid .head button:has-text('total')")
    page.click(".grid .head button:has-text('total')")
    wait_for_rows(page, ["north|2|42", "east|1|1"])
    assert page.evaluate("window.notReloaded") is True
    page.click("#details")
    expect(page.locator(".details pre")).to_contain_text("CREATE MATERIALIZED VIEW")


def test_no_change_is_missed_while_the_connection_is_lost(page: Page, server: Running, way: Way):
    sql(server, "CREATE TABLE k (id bigint, v bigint)")
    sql(server, "CREATE MATERIALIZED VIEW kept AS SELECT id, sum(v) AS v FROM k GROUP BY id")
    sql(server, "INSERT INTO k SELECT g, 0 FROM generate_series(1, 5) g")
    page.evaluate("window.notReloaded = true")
    page.click("#tree li[data-id]:has-text('kept')")
    wait_for_rows(page, [f"{i}|0" for i in range(1, 6)])
    expected = [0] * 5
    for cut in range(3):
        way.cut()
        page.wait_for_selector("#connection[data-state=waiting]")
        for i in range(10):
            sql(server, f"INSERT INTO k VALUES ({i % 5 + 1}, {i + cut})")
            expected[i % 5] += i + cut
        assert rows(page) != [f"{i + 1}|{v}" for i, v in enumerate(expected)], "the way was cut"
        way.mend()
        wait_for_rows(page, [f"{i + 1}|{v}" for i, v in enumerate(expected)])
    page.wait_for_selector("#connection[data-state=open]")
    assert page.evaluate("window.notReloaded") is True


def test_an_error_is_shown_at_its_place(page: Page):
    typed(page, "SELECT 1;\nSELECT nosuch FROM (VALUES (1)) v (a)")
    expect(page.locator(".answer.failed .message")).to_contain_text("42703")
    expect(page.locator(".editor .wrong")).to_have_text("nosuch")
    page.fill("#sql", "SELECT 1")
    expect(page.locator(".editor .wrong")).to_have_count(0)


def test_statements_are_remembered(page: Page):
    typed(page, "SELECT 41 + 1 AS answer")
    expect(page.locator(".answer tbody td")).to_have_text("42")
    page.fill("#sql", "draft")
    page.keyboard.press("Control+ArrowUp")
    expect(page.locator("#sql")).to_have_value("SELECT 41 + 1 AS answer")
    page.keyboard.press("Control+ArrowDown")
    expect(page.locator("#sql")).to_have_value("draft")
    page.reload()
    expect(page.locator("#sql")).to_have_value("draft")


def test_a_query_is_kept_on_the_screen(page: Page, server: Running):
    sql(server, "CREATE TABLE q (v bigint)")
    page.fill("#sql", "SELECT count(*) AS n, max(v) AS m FROM q")
    page.keyboard.press("Control+Shift+Enter")
    wait_for_rows(page, ["0|NULL"])
    sql(server, "INSERT INTO q VALUES (7), (9)")
    wait_for_rows(page, ["2|9"])


def test_explain_draws_the_plan(page: Page, server: Running):
    sql(server, "CREATE TABLE a (id bigint, x text); CREATE TABLE b (id bigint, y text)")
    page.fill("#sql", "SELECT x, count(*) FROM a JOIN b ON a.id = b.id GROUP BY x")
    page.keyboard.press("Control+e")
    titles = page.locator(".answer .node > text:not(.line)")
    expect(titles.filter(has_text="Reduce")).to_have_count(1)
    expect(titles.filter(has_text="DeltaJoin")).to_have_count(1)
    expect(titles.filter(has_text="Source")).to_have_count(2)
    expect(page.locator(".answer details div.message")).to_contain_text("%0 » %1")
    page.fill("#sql", "WITH c AS (SELECT x, count(*) AS n FROM a GROUP BY x) SELECT * FROM c p JOIN c q ON p.n = q.n")
    page.keyboard.press("Control+e")
    expect(titles.filter(has_text="DeltaJoin")).to_have_count(1)
    expect(titles.filter(has_text="Reduce")).to_have_count(1)  # which both sides read
    expect(page.locator(".answer .node").filter(has_text="Get")).to_have_count(0)


def test_the_dataflow_shows_who_shares_an_operator(page: Page, server: Running):
    sql(server, "CREATE TABLE s (k text, v bigint); INSERT INTO s VALUES ('a', 1)")
    for name in ("one", "two"):
        sql(server, f"CREATE MATERIALIZED VIEW {name} AS SELECT k, sum(v) FROM s GROUP BY k")
    sql(server, "SELECT * FROM one, two")
    page.click("#tree li[data-id]:has-text('two')")
    page.click("#to-dataflow")
    node = page.locator("#page-dataflow .node", has_text="Reduce")
    expect(node).to_have_count(1)
    node.click()
    expect(page.locator("#page-dataflow .details")).to_contain_text("Shared by 2")
    expect(page.locator("#page-dataflow .details")).to_contain_text("Reduce key=(#0)")


def test_ten_thousand_rows_scroll(page: Page, server: Running):
    """Only what is in sight exists, wherever one is; changes far away cost nothing to see."""
    sql(server, "CREATE TABLE many (id bigint)")
    sql(server, "INSERT INTO many SELECT generate_series(1, 10000)")
    page.click("#tree li[data-id]:has-text('many')")
    page.wait_for_selector(".grid .row")
    assert len(rows(page)) < 80
    page.eval_on_selector(".grid .scroll", "scroll => scroll.scrollTop = scroll.scrollHeight")
    page.wait_for_selector(".grid .row:has-text('10000')")
    assert rows(page)[-1] == "10000"
    assert len(rows(page)) < 80
    sql(server, "INSERT INTO many VALUES (10001)")
    page.wait_for_selector("#live-state:has-text('10,001 rows')")


def test_the_tree_says_how_objects_are(page: Page, server: Running):
    """A view whose row fails and a sink whose broker is gone are red, and say why; the keyboard finds them."""
    sql(server, "CREATE TABLE halves (x int); CREATE MATERIALIZED VIEW broken AS SELECT 10 / x AS q FROM halves")
    sql(server, "CREATE CONNECTION nobody TO KAFKA (BROKER '127.0.0.1:1')")
    sql(server, "CREATE SINK lost FROM halves INTO KAFKA CONNECTION nobody (TOPIC 't') FORMAT JSON")
    dot = page.locator("#tree li[data-id]", has_text="broken").locator(".dot")
    expect(dot).to_have_class("dot good")
    sql(server, "INSERT INTO halves VALUES (0)")
    expect(dot).to_have_class("dot bad")
    expect(dot).to_have_attribute("title", "failed: division by zero")
    page.keyboard.press("Alt+4")
    page.keyboard.press("/")
    page.keyboard.type("lost")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#tree .dot.bad")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#page-live .details")).to_contain_text("stalled: ")
    expect(page.locator("#page-live .details pre")).to_contain_text("CREATE SINK")
    page.keyboard.press("Escape")
    sql(server, "DELETE FROM halves")
    expect(dot).to_have_class("dot good")


def test_the_system_page_measures(page: Page, server: Running):
    sql(server, "CREATE SOURCE n FROM LOAD GENERATOR COUNTER (TICK INTERVAL '10ms')")
    page.keyboard.press("Alt+4")
    expect(page.locator(".card .now").first).to_contain_text("rows/s")
    expect(page.locator(".card.wide .meter", has_text="materialize.public.n").first).to_be_visible()
    expect(page.locator(".cards")).to_contain_text("everything decoded")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("coun")
    expect(page.locator("#tree")).to_contain_text("nothing of that name")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_page_asks_nobody_else(page: Page, way: Way):
    """No CDN: every file is the server's."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector("#connection[data-state=open]")
    assert asked
    assert all(url.startswith((f"http://127.0.0.1:{way.port}/", f"ws://127.0.0.1:{way.port}/")) for url in asked)
