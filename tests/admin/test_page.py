"""The page in a real browser, from manifests that are edited and questions that are asked with dig."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Watched, chromium, looking
from tests.support.manifested import headless, service, workload
from tests.support.running import Running, eventually, minidns
from tests.support.threaded import api_server, endpoints, namespace
from tests.support.threaded import service as manual

NGINX = "nginx.default.svc.cluster.local."
BASE = headless("nginx", "selector: {app: web}, ports: [{name: http, port: 80}]") + service("api")
BASE += service("db", "type: ExternalName, externalName: db.example.com")
BASE += "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"

#: Each Service: its kind, and what else is in its line.
SHAPES = (("nginx", "headless", "2/2 ready"), ("api", "virtual IP", "10.96."), ("db", "ExternalName", "db.example.com"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "services.yaml").write_text(BASE)
    (tmp_path / "web.yaml").write_text(workload(spec="serviceName: nginx"))
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Running]:
    with minidns("--manifests", str(folder), "--ttl", "30") as running:
        yield running


@pytest.fixture(params=["light", "dark"])
def watched(server: Running, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """The page, in both colour schemes; it must not complain, nor ask anybody else for anything."""
    with looking(browser, url(server), dark=request.param == "dark") as watched:
        expect(watched.page.locator("#connection")).to_have_text("live")
        yield watched
        assert [text for text in watched.complaints if "the server responded with a status of" not in text] == []
        assert watched.outside == []


def url(server: Running) -> str:
    return f"http://127.0.0.1:{server.admin}/"


def view(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def scale(folder: Path, replicas: int) -> None:
    file = folder / "web.yaml"
    file.write_text(re.sub(r"replicas: \d+", f"replicas: {replicas}", file.read_text()))


def test_the_map_shows_what_is_there_and_how_it_is_reached(watched: Watched) -> None:
    page = watched.page
    for name, kind, more in SHAPES:
        button = page.locator(f'[data-key="default/{name}"] > button')
        expect(button).to_contain_text(kind)
        expect(button).to_contain_text(more)
    page.locator('[data-key="default/nginx"] > button').click()
    expect(page.locator('[data-key="default/nginx/web-0"]')).to_contain_text(f"web-0.{NGINX}")
    details = page.get_by_role("complementary")
    expect(details).to_contain_text(f"{NGINX} 30 IN SRV 0 50 80 web-1.{NGINX}")
    expect(details).to_contain_text(f"{NGINX} A --admin 127.0.0.1:")
    page.locator('[data-key="default/nginx/web-0"] > button').click()
    expect(details.get_by_role("heading", level=2)).to_have_text("pod web-0")
    expect(details).to_contain_text("in-addr.arpa. 30 IN PTR web-0")


def test_what_a_change_touches_lights_up_with_its_records(watched: Watched, folder: Path) -> None:
    page = watched.page
    nginx = page.locator('[data-key="default/nginx"]')
    nginx.locator("> button").click()
    scale(folder, 3)
    expect(nginx.locator("> .delta")).to_contain_text(f"web-2.{NGINX[:-1]} A 10.")
    expect(nginx.locator("> .delta .came").first).to_be_visible()
    expect(nginx).to_have_class(re.compile("lit"))
    expect(page.locator('[data-key="default/nginx/web-2"]')).to_contain_text("ready")
    expect(nginx.locator("> button")).to_contain_text("3/3 ready")
    expect(page.get_by_role("complementary")).to_contain_text(f"web-2.{NGINX}")
    expect(page.locator("#announcer")).to_contain_text("web-2 ready")
    scale(folder, 1)
    expect(nginx.locator("> .delta .went").first).to_be_visible()
    expect(page.locator('[data-key="default/nginx/web-2"]')).to_have_count(0)


def test_the_cluster_of_manifests_is_played_by_buttons(watched: Watched) -> None:
    page = watched.page
    nginx = page.locator('[data-key="default/nginx"]')
    nginx.locator("> button").click()
    page.get_by_text("Play the cluster that the manifests make").click()
    page.get_by_label("Workload").fill("statefulset/web")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("details.play p")).to_have_text("statefulset.apps/web scaled: web-2 not ready yet")
    expect(nginx.locator("> button")).to_contain_text("3/3 ready")
    page.locator('[data-key="default/nginx/web-1"] > button').click()
    details = page.get_by_role("complementary")
    details.get_by_role("button", name="Make not ready").click()
    expect(page.locator('[data-key="default/nginx/web-1"]')).to_contain_text("not ready")
    expect(details).to_contain_text("pod/web-1 unready: web-1 not ready")
    expect(details).to_contain_text("NXDOMAIN endpoint web-1 of Service default/nginx is not ready")
    page.get_by_label("Workload").fill("statefulset/none")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("details.play p")).to_contain_text("none")
    expect(page.locator("details.play p")).to_have_class("problem")


def test_a_name_without_records_says_why_on_the_map(watched: Watched, folder: Path) -> None:
    page = watched.page
    page.locator('[data-key="default/nginx"] > button').click()
    (folder / "web.yaml").write_text(workload(spec="serviceName: nginx", annotations='minidns.dev/ready: "false"'))
    expect(page.locator('[data-key="default/nginx"] > button')).to_contain_text("0/2 ready")
    expect(page.get_by_role("complementary")).to_contain_text(
        "NXDOMAIN headless Service default/nginx has 2 endpoints, 0 ready"
    )


def test_ask_draws_the_walk_and_takes_the_answer_apart(watched: Watched) -> None:
    page = watched.page
    view(page, "Ask")
    page.get_by_role("textbox", name="Name", exact=True).fill("nginx.default")
    page.get_by_label("From a pod of").fill("shop")
    page.get_by_role("button", name="Ask").click()
    steps = page.get_by_role("list", name="Names that were tried").locator("> li")
    expect(steps).to_have_count(2)
    expect(steps.nth(0)).to_contain_text("no Service of that name in namespace shop")
    expect(steps.nth(1)).to_contain_text("ends here: these are the records")
    expect(page.locator(".outcome")).to_contain_text("4 queries, as many answers; 2 queries if the program asked")
    answer = page.locator(".dig")
    expect(answer).to_contain_text("status: NOERROR")
    expect(answer).to_contain_text(re.compile(rf"{NGINX} 30 IN A 10\."))
    fields = page.locator(".bytes").first
    expect(fields.get_by_role("row", name="QR")).to_contain_text("an answer")
    pointer = fields.get_by_role("row", name="owner, pointer").first
    pointer.hover()
    expect(fields.locator(".byte.marked")).to_have_count(2)
    expect(fields.locator(".byte.target").first).to_have_attribute("data-at", "12")
    expect(pointer.get_by_role("link")).to_have_attribute(
        "href", "https://www.rfc-editor.org/rfc/rfc1035#section-4.1.4"
    )
    steps.nth(0).get_by_role("button").first.click()
    expect(answer).to_contain_text("EDE: 0 (Other): (no Service of that name in namespace shop)")
    expect(fields.get_by_role("row", name="EXTRA-TEXT")).to_contain_text("no Service of that name")


def test_ask_as_musl(watched: Watched) -> None:
    page = watched.page
    page.goto(page.url.partition("#")[0] + "#ask?name=default.svc&from=default&libc=musl")
    steps = page.get_by_role("list", name="Names that were tried").locator("> li")
    expect(steps).to_have_count(3)
    expect(steps.last).to_contain_text("ends here, without an address")
    page.get_by_label("Resolver").select_option("glibc")
    page.get_by_role("button", name="Ask").click()
    expect(steps).to_have_count(4)
    expect(steps.last).to_contain_text("sent 2 times")


def test_queries_of_a_walk_stand_together(watched: Watched, server: Running) -> None:
    page = watched.page
    view(page, "Queries")
    expect(page.locator(".summary")).to_contain_text("dig @127.0.0.1")
    for name in "nginx.default.default.svc.cluster.local", NGINX:
        for type_ in "A", "AAAA":
            server.dig(name, type_)
    walk = page.get_by_role("list", name="Queries, the latest first").locator("> li").first
    expect(walk).to_contain_text("127.0.0.1 asks for nginx.default")
    expect(walk.locator("li")).to_have_count(2)
    expect(walk.locator("li").first).to_contain_text("A NXDOMAIN")
    expect(walk.locator("li").first).to_contain_text("no Service of that name in namespace default")
    expect(walk.locator("li").last).to_contain_text("AAAA NODATA")
    shares = page.get_by_role("complementary")
    expect(shares).to_contain_text("queries/s")
    expect(shares.get_by_role("table", name="Names that do not exist")).to_contain_text("nginx.default.default.svc")
    expect(shares.get_by_role("table", name="Short names that cost most")).to_contain_text(f"is {NGINX}")
    page.get_by_label("Outcome").select_option("NXDOMAIN")
    expect(page.locator(".feed > li")).to_have_count(0)
    server.dig("gone.default.svc.cluster.local")
    expect(page.locator(".feed > li")).to_contain_text("gone.default.svc.cluster.local")


def test_changes_are_listed_with_their_records(watched: Watched, folder: Path) -> None:
    page = watched.page
    view(page, "Changes")
    expect(page.locator("main")).to_contain_text("Nothing has changed since this page was opened")
    scale(folder, 3)
    change = (
        page.get_by_role("list", name="Changes, the latest first")
        .locator("> li")
        .filter(has_text="EndpointSlice default/nginx")
        .first
    )
    expect(change).to_contain_text("web-2 ready")
    expect(change.locator(".came")).not_to_have_count(0)
    page.get_by_label("Only").fill("nothing like that")
    expect(page.locator("main")).to_contain_text("None of them matches.")


def test_state_shows_what_is_followed(watched: Watched, folder: Path) -> None:
    view(watched.page, "State")
    expect(watched.page.locator("main")).to_contain_text(f"manifests in {folder}")
    expect(watched.page.locator("main")).to_contain_text(re.compile(r"watches and answers, \d+ MiB"))


def test_text_from_the_network_is_never_markup(watched: Watched, server: Running) -> None:
    page = watched.page
    hostile = "<img\\032src=x\\032onerror=alert(1)>"
    view(page, "Queries")
    expect(page.locator(".summary")).to_contain_text("dig @127.0.0.1")
    server.dig("\\<img\\ src=x\\ onerror=alert\\(1\\)\\>.default.svc.cluster.local")
    expect(page.locator(".feed > li").first).to_contain_text("<img\\032src=x\\032onerror=alert\\(1\\)>")
    view(page, "Ask")
    page.get_by_role("textbox", name="Name", exact=True).fill(
        hostile.replace(" ", "\\032") + ".default.svc.cluster.local."
    )
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".dig")).to_contain_text("<img\\032src=x")
    view(page, "Map")
    page.get_by_label("Find").fill(hostile)
    expect(page.locator(".summary")).to_have_text("0 Services found")
    assert page.locator("main img").count() == 0


def test_a_server_that_goes_away_and_comes_back(folder: Path, browser: Browser) -> None:
    with minidns("--manifests", str(folder)) as first:
        port = first.admin
        with looking(browser, url(first)) as watched:
            page = watched.page
            expect(page.locator("#connection")).to_have_text("live")
            first.stop()
            expect(page.get_by_role("alert")).to_contain_text("minidns does not answer here since")
            scale(folder, 4)
            with minidns("--manifests", str(folder), "--admin", f"127.0.0.1:{port}"):
                expect(page.locator("#connection")).to_contain_text("back since")
                expect(page.get_by_role("alert")).to_have_count(0)
                expect(page.locator('[data-key="default/nginx"] > button')).to_contain_text("4/4 ready")


def test_an_api_server_that_is_away_is_told_with_the_time(tmp_path: Path, browser: Browser) -> None:
    with api_server() as cluster:
        cluster.put("namespaces", namespace("default"))
        cluster.put("services", manual("web", clusterIP="None"))
        cluster.put("endpointslices", endpoints("web", "10.1.0.1"))
        with (
            minidns("--kubeconfig", cluster.kubeconfig(tmp_path)) as server,
            looking(browser, url(server)) as watched,
        ):
            banner, web = watched.page.locator("#banner"), watched.page.locator('[data-key="default/web"] > button')
            expect(web).to_contain_text("1/1 ready")
            expect(banner).to_be_hidden()
            cluster.stop()
            expect(banner).to_contain_text(re.compile(r"The API server is away since \d\d:\d\d:\d\d: .+ is served"))
            view(watched.page, "State")
            expect(watched.page.locator("main")).to_contain_text("not for")
            cluster.start()
            expect(banner).to_be_hidden()


def test_many_services_are_searched_and_folded(tmp_path: Path, browser: Browser) -> None:
    for space in range(11):
        text = "".join(service(f"s{number}", "ports: [{port: 80}]", f"n{space:02}") for number in range(1000))
        (tmp_path / f"{space}.yaml").write_text(text)
    (tmp_path / "web.yaml").write_text(BASE + workload(spec="serviceName: nginx"))
    with minidns("--manifests", str(tmp_path)) as server, looking(browser, url(server)) as watched:
        page = watched.page
        expect(page.locator(".summary")).to_contain_text("11,005 Services")
        assert page.locator(".service").count() == 0
        page.locator('[data-key="n07"] > button').click()
        expect(page.locator(".service")).to_have_count(100)
        page.get_by_role("button", name="Show more: 900 Services").click()
        expect(page.locator(".service")).to_have_count(200)
        page.get_by_label("Find").fill("n07/s99")
        expect(page.locator(".summary")).to_have_text("11 Services found")
        page.get_by_label("Find").fill("web-1")
        expect(page.locator(".summary")).to_have_text("2 Services found")
        expect(page.locator('[data-key="default/nginx"] > button')).to_contain_text("has web-1")


def test_it_is_used_by_keyboard(watched: Watched) -> None:
    page = watched.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    nginx = page.locator('[data-key="default/nginx"] > button')
    nginx.focus()
    expect(nginx).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(nginx).to_have_attribute("aria-expanded", "true")
    endpoint = page.locator('[data-key="default/nginx/web-0"] > button')
    expect(endpoint).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="EndpointSlice nginx-")).to_be_focused()
    page.keyboard.press("Tab")
    expect(endpoint).to_be_focused()
    link = page.get_by_role("link", name="State", exact=True)
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    expect(link).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize("name", ["map", "ask?name=nginx&from=default", "queries", "changes", "state"])
def test_a_phone_needs_no_sideways_scrolling(server: Running, browser: Browser, name: str) -> None:
    with looking(browser, f"{url(server)}#{name}", size=(360, 740)) as watched:
        expect(watched.page.get_by_role("heading", level=1)).to_be_visible()
        expect(watched.page.locator("#connection")).to_have_text("live")
        if name.startswith("ask"):
            expect(watched.page.locator(".bytes").first).to_be_visible()
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_nobody_looking_costs_nothing(server: Running, browser: Browser) -> None:
    """Readers end with the page."""

    def sockets() -> int:
        return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))

    eventually(lambda: server.get("/health") == "OK")
    before = sockets()
    with looking(browser, f"{url(server)}#queries") as watched:
        expect(watched.page.locator("#connection")).to_have_text("live")
    eventually(lambda: sockets() <= before)
