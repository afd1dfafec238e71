"""Pictures of the page for the README: `python -m tests.support.pictures` looks at the demo and writes docs/images/."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.browser import chromium, looking
from tests.support.places import DEMO, ROOT
from tests.support.running import Running, minidns

IMAGES = ROOT / "docs" / "images"
#: What a pod of namespace default asks to find `nginx.default`, and what is mistyped.
ASKED = (
    "nginx.default.default.svc.cluster.local",
    "nginx.default.svc.cluster.local",
    "msql-svc.default.svc.cluster.local",
    "mysql-svc.default.svc.cluster.local",
    "redis-svc.lesson-web.svc.cluster.local",
)


def main() -> None:
    """Every picture, the map and the bytes in both colour schemes."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name) / "demo"
        shutil.copytree(DEMO, folder)
        with minidns("--manifests", str(folder), "--ttl", "30") as server:
            url = f"http://127.0.0.1:{server.admin}/"
            with looking(browser, url) as watched:
                _map(watched.page, folder)
            with looking(browser, f"{url}#ask?name=nginx.default&from=kube-system&edns=1", dark=True) as watched:
                expect(watched.page.locator(".dig")).to_be_visible()
                _save(watched.page, "ask")
                watched.page.locator(".bytes").first.scroll_into_view_if_needed()
                watched.page.evaluate("document.querySelectorAll('h3')[1].scrollIntoView()")
                watched.page.evaluate("scrollBy(0, -60)")
                watched.page.get_by_role("row", name="owner, pointer").first.hover()
                _save(watched.page, "bytes")
            with looking(browser, f"{url}#queries") as watched:
                _queries(watched.page, server)
            with looking(browser, f"{url}#state", dark=True) as watched:
                expect(watched.page.locator("main")).to_contain_text("MiB")
                _save(watched.page, "state")
            with looking(browser, url, size=(360, 740)) as watched:
                watched.page.locator('[data-key="default/nginx"] > button').click()
                expect(watched.page.get_by_role("complementary")).to_contain_text("web-0")
                _save(watched.page, "phone")


def _map(page: Page, folder: Path) -> None:
    nginx = page.locator('[data-key="default/nginx"]')
    nginx.locator("> button").click()
    expect(page.locator('[data-key="default/nginx/web-1"]')).to_be_visible()
    page.locator('[data-key="default/my-headless-service"]').scroll_into_view_if_needed()
    _replicas(folder, 2, 3)
    expect(page.locator('[data-key="default/nginx/web-2"]')).to_be_visible()
    page.evaluate("scrollTo(0, 240)")
    page.wait_for_timeout(400)
    _save(page, "map")
    page.get_by_role("link", name="Changes", exact=True).click()
    _replicas(folder, 3, 1)
    expect(page.locator(".feed > li").first).to_contain_text("web-2 gone")
    _save(page, "changes")


def _queries(page: Page, server: Running) -> None:
    expect(page.locator(".summary")).to_contain_text("Waiting")
    for name in ASKED:
        for type_ in "A", "AAAA":
            server.dig(name, type_)
    expect(page.locator(".shares")).to_contain_text("msql-svc")
    expect(page.locator(".shares")).to_contain_text("is nginx.default.svc.cluster.local")
    _save(page, "queries")


def _replicas(folder: Path, before: int, after: int) -> None:
    file = folder / "web.yaml"
    file.write_text(file.read_text().replace(f"replicas: {before}", f"replicas: {after}"))


def _save(page: Page, name: str) -> None:
    page.wait_for_timeout(300)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
