"""Batches: bounded work, in order, and in the end what a list applied whole would have made."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core.batches import ENDPOINT, OBJECT, WORK, batches, copies, differences
from minidns.core.model import Change, Deleted, EndpointSlice, Namespace, Replaced, Service, Upserted
from minidns.core.schema import ZoneSettings
from minidns.core.zone import Zone
from tests.core.test_zone import KINDS, changes, index, lists
from tests.support.clusters import endpoints, service

WEB, OTHER = service("a/web", "10.96.0.1"), service("a/other", "10.96.0.2")


@given(st.lists(changes, max_size=6), st.sampled_from(KINDS).flatmap(lists))
@settings(max_examples=100)
def test_differences_of_a_list_make_what_the_list_makes(before: list[Change], change: Replaced) -> None:
    whole, step_by_step = Zone(ZoneSettings()), Zone(ZoneSettings())
    for one in before:
        whole.apply(one)
        step_by_step.apply(one)
    whole.apply(change)
    for batch in batches(differences(change, step_by_step.cluster.all(change.kind))):
        for one in batch:
            assert step_by_step.apply(one) or isinstance(one, Upserted | Deleted)
    assert step_by_step.cluster.all(change.kind) == whole.cluster.all(change.kind)
    assert index(step_by_step) == index(whole)


def test_what_is_the_same_is_looked_at_and_no_more() -> None:
    known = {WEB.key: WEB, OTHER.key: OTHER}
    change = Replaced(Service, (service("a/web", "10.96.0.1"),))
    assert list(differences(change, known)) == [None, None, Deleted(Service, OTHER.key)]


def test_a_batch_is_bounded_in_work() -> None:
    slices = [endpoints(f"a/db-{n}", *(f"10.1.0.{m}" for m in range(20))) for n in range(100)]
    found = list(batches(map(Upserted, slices)))
    assert [change for batch in found for change in batch] == [Upserted(slice_) for slice_ in slices]
    assert max(map(len, found)) <= WORK // (OBJECT + 20 * ENDPOINT) + 1
    huge = endpoints("a/db-1", *(f"10.1.{m >> 8}.{m & 255}" for m in range(1000)))
    assert [len(batch) for batch in batches([Upserted(huge), Deleted(EndpointSlice, huge.key)])] == [1, 1]
    looked_at: list[None] = [None] * (3 * WORK)
    assert list(batches(looked_at)) == [[], [], [], []]


def test_copies_are_of_what_is_there_when_its_turn_comes() -> None:
    known = {(("", name)): Namespace(name) for name in "abc"}
    following = copies(known)
    assert next(following) == Upserted(Namespace("a"))
    del known["", "b"]
    known["", "d"] = Namespace("d")
    assert list(following) == [None, Upserted(Namespace("c"))]
