"""Lessons over HTTP: the list, one of them, and attempts on the cluster that is served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, expect

from minidns.cli.lesson.classroom import Room, cluster
from minidns.cli.running import asked
from minidns.config.values import UsageError
from minidns.lessons import find, known, read
from tests.support.browser import chromium, looking


@pytest.fixture
def room() -> Iterator[Room]:
    with cluster(read(find("readiness"))) as room:
        yield room


def get(room: Room, path: str, **query: object) -> Any:
    with asked(room.admin, path, {name: str(value) for name, value in query.items()}) as response:
        return json.loads(response.read())


def test_the_list_and_a_lesson(room: Room) -> None:
    assert [one["name"] for one in get(room, "/lessons")] == [path.stem for path in known()]
    lesson = get(room, "/lessons/readiness")
    assert lesson["here"] is True
    assert [step["answer"] for step in lesson["steps"]] == [False, True, True, False]
    assert f"{room.words.dig} +short web.default" in lesson["steps"][0]["task"]
    assert str(Path(room.words.file).parent) in lesson["steps"][3]["task"]
    assert get(room, "/lessons/ports")["here"] is False


def test_attempts(room: Room) -> None:
    steps = room.lesson.steps
    assert get(room, "/lessons/readiness/attempt", step=1) == {
        "passed": False, "said": "web-1 is still in DNS: it is ready.",
    }  # fmt: skip
    room.run("minidns unready pod/web-0", quiet=True)
    assert get(room, "/lessons/readiness/attempt", step=1)["said"].startswith("That is web-0, the first one.")
    room.run("minidns ready pod/web-0; minidns unready pod/web-1", quiet=True)
    assert get(room, "/lessons/readiness/attempt", step=1) == {"passed": True, "said": steps[0].explain.strip()}
    assert get(room, "/lessons/readiness/attempt", step=2, answer="NXDOMAIN")["passed"] is True
    assert get(room, "/lessons/readiness/attempt", step=2, answer="NOERROR")["passed"] is False


def test_a_walk_and_a_second_server_are_looked_at() -> None:
    with cluster(read(find("search"))) as room:
        assert get(room, "/lessons/search/attempt", step=2, answer="4")["passed"] is True
    with cluster(read(find("caching"))) as room:
        room.run("minidns scale statefulset/web --replicas=3", quiet=True)
        assert get(room, "/lessons/caching/attempt", step=4, answer="NOERROR")["passed"] is False
        assert get(room, "/lessons/caching/attempt", step=4, answer="NXDOMAIN")["passed"] is True


@pytest.mark.parametrize(
    ("path", "query", "told"),
    [
        ("/lessons/none", {}, "no lesson 'none'"),
        ("/lessons/..%2Freadiness", {}, "no lesson"),
        ("/lessons/readiness/attempt", {}, "step is a number from 1 to 4, not ''"),
        ("/lessons/readiness/attempt", {"step": "5"}, "step is a number from 1 to 4, not '5'"),
    ],
)
def test_what_makes_no_sense_is_refused(room: Room, path: str, query: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told), asked(room.admin, path, query):
        pass


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_plays_a_lesson(browser: Browser, room: Room, width: int) -> None:
    with looking(browser, f"http://{room.admin}/#lessons", size=(width, 800)) as watched:
        page = watched.page
        expect(page.get_by_role("heading", level=2)).to_have_text([read(path).title for path in known()])
        page.get_by_role("link", name="Ready, or not in DNS").click()
        page.get_by_role("button", name="Hint").click()
        expect(page.locator(".task")).to_contain_text("minidns unready pod/web-1")
        page.get_by_role("button", name="Check").click()
        expect(page.locator(".task")).to_contain_text("web-1 is still in DNS: it is ready.")
        room.run("minidns unready pod/web-1", quiet=True)
        page.get_by_role("button", name="Check").click()
        expect(page.locator(".task").nth(0)).to_contain_text("Right.")
        page.get_by_label("Your answer").fill("noerror")
        page.get_by_label("Your answer").press("Enter")
        expect(page.locator(".task").nth(1)).to_contain_text("NOERROR is for a name that exists.")
        for answer in ("NXDOMAIN", "1"):
            page.get_by_label("Your answer").fill(answer)
            page.get_by_label("Your answer").press("Enter")
        expect(page.get_by_role("heading", level=3).last).to_have_text("Step 4 of 4")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0
        assert watched.complaints == watched.outside == []


def test_the_page_says_when_its_cluster_is_another(browser: Browser, room: Room) -> None:
    with looking(browser, f"http://{room.admin}/#lessons?{urlencode({'name': 'ports'})}") as watched:
        expect(watched.page.get_by_role("note")).to_contain_text("minidns lesson ports")
        assert watched.complaints == []
