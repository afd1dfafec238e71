"""Debian's chromium, driven by playwright, for tests that look at the page as people do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

#: Milliseconds.
PATIENCE = 20_000
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own, without a window and without a profile."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and what it complained about: scripts that failed, and what the Content-Security-Policy refused.

    outside: requests to anything but the server.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.outside: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: None if request.url.startswith(url) else self.outside.append(request.url))


@contextmanager
def looking(
    browser: Browser, url: str, *, size: tuple[int, int] = (1280, 720), dark: bool = False
) -> Iterator[Watched]:
    """The page at `url`, in a context of its own."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
    )
    try:
        page = context.new_page()
        watched = Watched(page, url.partition("#")[0])
        page.goto(url)
        yield watched
    finally:
        context.close()
