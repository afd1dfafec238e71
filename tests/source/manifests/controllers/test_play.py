"""Verbs on a cluster of manifests: which pods there are after each step, with which addresses, in which state."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import model
from minidns.source.manifests.controllers import verbs
from minidns.source.manifests.controllers.play import Moved, Play
from minidns.source.manifests.controllers.scenes import MOST
from minidns.source.manifests.controllers.verbs import (
    Delete,
    Ready,
    Reset,
    Restart,
    Scale,
    Unready,
    Verb,
    VerbError,
)
from tests.support.manifested import World, headless, pod, service, workload


class Theatre(World):
    """A world in which verbs are played."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.play = Play(self.cluster)
        self.write("".join(texts))

    def begin(self, verb: Verb) -> Moved:
        try:
            return self.play.do(verb)
        finally:
            self._apply(self.play.take_edits())

    def next(self) -> list[Moved]:
        moved = self.play.advance()
        self._apply(self.play.take_edits())
        return moved

    def whole(self, verb: Verb) -> list[list[str]]:
        """The endpoints after every step, until nothing is to come."""
        seen = []
        left = self.begin(verb).left
        seen.append(self.seen())
        while self.play.under_way:
            assert left > 0
            left = max(one.left for one in self.next())
            seen.append(self.seen())
        assert left == 0
        return seen

    def seen(self, name: str = "web") -> list[str]:
        """The endpoints with their states: nothing behind a ready one, "-" not ready, "~" terminating, "!" both."""
        signs = {(True, False): "", (False, False): "-", (True, True): "~", (False, True): "!"}
        found = []
        for each in self.endpoints(name):
            assert each.ready == (each.serving and not each.terminating)
            found.append(f"{each.pod}{signs[each.serving, each.terminating]}")
        return sorted(found)

    def addresses(self) -> dict[str, str]:
        return {name: addresses[0] for name, addresses in self.pods().items()}


def stateful(replicas: int = 2, **more: Any) -> Theatre:
    return Theatre(headless(), workload(replicas=replicas, **more))


def deployed(replicas: int = 2, kind: str = "Deployment") -> Theatre:
    return Theatre(headless(), workload(kind, replicas=replicas, spec="minReadySeconds: 0"))


SCALE = Scale(target="statefulset/web", replicas=3)


def test_a_stateful_set_grows_pod_by_pod_each_ready_before_the_next() -> None:
    assert stateful(1).whole(SCALE) == [["web-0", "web-1-"], ["web-0", "web-1"], ["web-0", "web-1", "web-2-"],
                                        ["web-0", "web-1", "web-2"]]  # fmt: skip


def test_with_parallel_pod_management_it_grows_at_once() -> None:
    theatre = stateful(1, spec="serviceName: web, podManagementPolicy: Parallel")
    assert theatre.whole(SCALE) == [["web-0", "web-1-", "web-2-"], ["web-0", "web-1", "web-2"]]


def test_it_shrinks_from_the_last_pod_which_serves_while_it_terminates() -> None:
    assert stateful(2).whole(Scale(target="sts/web", replicas=0)) == [
        ["web-0", "web-1~"], ["web-0"], ["web-0~"], [],
    ]  # fmt: skip


def test_pods_that_come_back_after_scaling_have_other_addresses() -> None:
    theatre = stateful(2)
    before = theatre.addresses()
    theatre.whole(Scale(target="statefulset/web", replicas=1))
    theatre.whole(Scale(target="statefulset/web", replicas=2))
    after = theatre.addresses()
    assert after["web-0"] == before["web-0"]
    assert after["web-1"] != before["web-1"]


def test_a_deployment_scales_at_once() -> None:
    theatre = deployed(1)
    (first,) = theatre.seen()
    up, ready = theatre.whole(Scale(target="deployment/web", replicas=3))
    assert (len(up), [name for name in up if not name.endswith("-")]) == (3, [first])
    assert len(ready) == 3
    ending, gone = theatre.whole(Scale(target="deploy/web", replicas=1))
    assert (len(ending), sum(name.endswith("~") for name in ending), gone) == (3, 2, [first])


def test_the_same_number_changes_nothing() -> None:
    theatre = stateful(2)
    assert theatre.whole(Scale(target="statefulset/web", replicas=2)) == [["web-0", "web-1"]]


def test_a_verb_outlives_an_edit_of_the_files() -> None:
    theatre = stateful(2)
    theatre.whole(SCALE)
    theatre.write(headless() + workload(replicas=1, labels="app: web, tier: front"))
    assert theatre.seen() == ["web-0", "web-1", "web-2"]
    theatre.begin(Reset())
    assert theatre.seen() == ["web-0"]


def test_the_namespace_may_go_and_come_back() -> None:
    theatre = Theatre(workload(namespace="shop"), service(namespace="shop"))
    theatre.begin(Unready(target="pod/web-0", namespace="shop"))
    theatre.write("")
    assert not theatre.slices("web", "shop")
    theatre.write(workload(namespace="shop") + service(namespace="shop"))
    assert [each.ready for each in theatre.endpoints("web", "shop")] == [False, True]
    theatre.begin(Reset())
    theatre.write("")
    assert model.Namespace not in {kind for kind, key in theatre.state if key[1] == "shop"}


def test_a_deleted_pod_of_a_stateful_set_comes_back_under_its_name_with_another_address() -> None:
    theatre = stateful(2)
    addresses = [theatre.addresses()["web-0"]]
    for _ in range(3):
        assert theatre.whole(Delete(target="pod/web-0")) == [
            ["web-0~", "web-1"], ["web-0-", "web-1"], ["web-0", "web-1"],
        ]  # fmt: skip
        addresses.append(theatre.addresses()["web-0"])
    assert all(one != other for one, other in itertools.pairwise(addresses))
    theatre.begin(Reset())
    assert theatre.addresses()["web-0"] == addresses[0]


def test_even_in_a_range_of_few_addresses_the_next_one_is_another() -> None:
    # Of a /29 five are given away: the hash of a name finds the old place again soon.
    theatre = Theatre()
    World.__init__(theatre, ("10.96.0.0/16", "10.9.0.0/29"))
    theatre.play = Play(theatre.cluster)
    theatre.write(headless() + workload(replicas=1))
    for _ in range(20):
        before = theatre.addresses()["web-0"]
        theatre.whole(Delete(target="pod/web-0"))
        assert theatre.addresses()["web-0"] != before


def test_where_no_other_address_is_left_it_is_the_same() -> None:
    theatre = Theatre()
    World.__init__(theatre, ("10.96.0.0/16", "10.9.0.0/30"))
    theatre.play = Play(theatre.cluster)
    theatre.write(headless() + workload(replicas=2))
    before = theatre.addresses()
    assert len(set(before.values())) == 2
    theatre.whole(Delete(target="pod/web-0"))
    assert theatre.addresses() == before


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet"])
def test_a_deleted_pod_of_a_deployment_is_replaced_at_once_by_one_of_another_name(kind: str) -> None:
    theatre = deployed(2, kind)
    old, other = theatre.seen()
    begun, ready, gone = theatre.whole(Delete(target=f"pod/{old}"))
    (new,) = set(gone) - {other}
    assert begun == sorted([f"{old}~", other, f"{new}-"])
    assert ready == sorted([f"{old}~", other, new])
    assert new.rpartition("-")[0] == old.rpartition("-")[0]


def test_a_pod_that_nobody_makes_is_gone_until_the_reset() -> None:
    theatre = Theatre(headless(), pod("web-x", status="podIP: 10.1.2.3"))
    assert theatre.whole(Delete(target="pod/web-x")) == [["web-x~"], []]
    assert not theatre.pods()
    theatre.begin(Reset())
    assert theatre.addresses() == {"web-x": "10.1.2.3"}


def test_a_written_pod_of_a_workload_is_made_by_it_again() -> None:
    owned = "labels: {app: web}, ownerReferences: [{kind: StatefulSet, name: web}]"
    theatre = Theatre(headless(), workload(), pod("web-0", meta=owned, status="podIP: 10.1.2.3"))
    assert theatre.addresses()["web-0"] == "10.1.2.3"
    assert theatre.whole(Delete(target="pod/web-0")) == [["web-0~", "web-1"], ["web-0", "web-1"]]
    assert theatre.addresses()["web-0"] != "10.1.2.3"


def test_a_rollout_of_a_deployment_has_each_new_pod_ready_before_an_old_one_ends() -> None:
    theatre = deployed(2)
    first, second = (name for name, _ in theatre.addresses().items())
    steps = theatre.whole(Restart(target="deployment/web"))
    new = steps[-1]
    assert len(new) == 2
    assert not set(new) & {first, second}
    assert len({name.rpartition("-")[0] for name in (*new, first)}) == 2, "another template has another hash"
    for step in steps:
        assert sum(not name.endswith(("-", "~", "!")) for name in step) >= 2
    assert [sorted(name[-1] for name in step if name[-1] in "-~") for step in steps] == [
        ["-"], ["~"], ["-"], ["~"], [],
    ]  # fmt: skip


def test_a_rollout_of_a_stateful_set_goes_from_the_last_to_the_first_and_keeps_names() -> None:
    assert stateful(2).whole(Restart(target="statefulset/web")) == [
        ["web-0", "web-1~"], ["web-0", "web-1-"], ["web-0", "web-1"],
        ["web-0~", "web-1"], ["web-0-", "web-1"], ["web-0", "web-1"],
    ]  # fmt: skip


def test_a_daemon_set_ends_its_pod_first() -> None:
    theatre = Theatre(headless(), workload("DaemonSet", replicas=None, spec="minReadySeconds: 0"))
    (old,) = theatre.seen()
    ending, starting, (new,) = theatre.whole(Restart(target="ds/web"))
    assert (ending, starting) == ([f"{old}~"], [f"{new}-"])


def test_a_second_restart_makes_other_pods_again() -> None:
    theatre = deployed(1)
    names = theatre.seen()
    for _ in range(3):
        names += theatre.whole(Restart(target="deployment/web"))[-1]
    assert len(set(names)) == 4


def test_pods_that_come_after_a_restart_are_of_the_new_template() -> None:
    theatre = deployed(1)
    theatre.whole(Restart(target="deployment/web"))
    grown = theatre.whole(Scale(target="deployment/web", replicas=3))[-1]
    assert len({name.rpartition("-")[0] for name in grown}) == 1


def test_a_large_rollout_takes_a_bounded_number_of_steps() -> None:
    theatre = deployed(500)
    steps = theatre.whole(Restart(target="deployment/web"))
    assert len(steps) <= 2 * MOST + 1
    assert len(theatre.addresses()) == 500


def test_one_pod_of_three_is_not_ready_and_is_again() -> None:
    theatre = stateful(3)
    assert theatre.whole(Unready(target="pod/web-1")) == [["web-0", "web-1-", "web-2"]]
    assert theatre.whole(Ready(target="pod/web-1")) == [["web-0", "web-1", "web-2"]]
    assert not list(theatre.play.in_force())


def test_ready_is_stronger_than_the_annotation() -> None:
    theatre = stateful(2, annotations='minidns.dev/ready: "false"')
    assert theatre.whole(Ready(target="pod/web-1")) == [["web-0-", "web-1"]]
    assert theatre.whole(Unready(target="pod/web-1")) == [["web-0-", "web-1-"]]
    assert not list(theatre.play.in_force())


def test_what_was_said_about_a_pod_is_not_said_about_the_one_after_it() -> None:
    theatre = stateful(2)
    theatre.begin(Unready(target="pod/web-0"))
    assert theatre.whole(Delete(target="pod/web-0")) == [
        ["web-0!", "web-1"], ["web-0-", "web-1"], ["web-0", "web-1"],
    ]  # fmt: skip


def test_a_verb_under_way_ends_before_the_next_on_the_same_workload_begins() -> None:
    theatre = stateful(3)
    assert theatre.begin(Restart(target="statefulset/web")).left == 8
    assert theatre.whole(Scale(target="statefulset/web", replicas=2)) == [["web-0", "web-1", "web-2~"],
                                                                        ["web-0", "web-1"]]  # fmt: skip
    with pytest.raises(VerbError, match="no pod/web-2"):
        theatre.begin(Delete(target="pod/web-2"))


def test_verbs_on_different_workloads_go_on_side_by_side() -> None:
    theatre = Theatre(headless(), workload(), workload(name="api", labels="app: api"), headless("api"))
    theatre.begin(Restart(target="statefulset/web"))
    theatre.begin(Delete(target="pod/api-0"))
    assert [one.command for one in theatre.next()] == [
        "minidns rollout restart statefulset/web",
        "minidns delete pod/api-0",
    ]


def test_what_is_in_force() -> None:
    theatre = stateful(2)
    theatre.whole(SCALE)
    theatre.whole(Delete(target="pod/web-1"))
    theatre.whole(Delete(target="pod/web-1"))
    theatre.begin(Unready(target="pod/web-0"))
    theatre.begin(Restart(target="statefulset/web"))
    assert list(map(str, theatre.play.in_force())) == [
        "statefulset/web scaled to 3, restarted once, pod web-1 deleted 2 times, 8 steps to come",
        "pod/web-0 not ready",
    ]


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        (Scale(target="sts/wbe", replicas=1), "no statefulset/wbe in namespace default, did you mean statefulset/web?"),
        (Scale(target="deployment/x", replicas=1), "no deployment/x in namespace default: there are statefulset/web"),
        (Delete(target="pod/web-9"), "no pod/web-9 in namespace default, did you mean pod/web-1?"),
        (Delete(target="pod/web-0", namespace="shop"), "no pod/web-0 in namespace shop: there is no pod at all"),
        (Delete(target="statefulset/web"), "delete is for a pod, not for a statefulset"),
        (Restart(target="rs/web"), "rollout restart is for a statefulset or deployment or daemonset, not"),
        (Scale(target="ds/web", replicas=1), "scale is for a statefulset or deployment or replicaset, not"),
        (Unready(target="sts/web"), "unready is for a pod, not for a statefulset"),
        (Unready(target="web-0"), "'web-0' is not KIND/NAME, with KIND one of statefulset, deployment"),
        (Scale(target=f"sts/{'w' * 60}", replicas=1001, namespace="long"), f"the pod name '{'w' * 60}-1000' is"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why_and_changes_nothing(verb: Verb, text: str) -> None:
    theatre = Theatre(headless(), workload(), workload(name="w" * 60, namespace="long"))
    before = dict(theatre.state)
    with pytest.raises(VerbError) as raised:
        theatre.begin(verb)
    assert str(raised.value).startswith(text)
    assert theatre.state == before
    assert not list(theatre.play.in_force())


def test_a_terminating_pod_is_not_deleted_again() -> None:
    theatre = Theatre(headless(), pod("web-x", meta="labels: {app: web}, deletionTimestamp: 2024-01-01T00:00:00Z"))
    with pytest.raises(VerbError, match="pod/web-x in namespace default is terminating"):
        theatre.begin(Delete(target="pod/web-x"))


def test_pods_that_are_written_beside_their_workload_are_not_scaled() -> None:
    owned = "labels: {app: web}, ownerReferences: [{kind: ReplicaSet, name: web}]"
    theatre = Theatre(workload("ReplicaSet", spec="minReadySeconds: 0"), pod("web-a", meta=owned))
    with pytest.raises(VerbError, match="written down beside it"):
        theatre.begin(Scale(target="rs/web", replicas=5))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("sts/a", "StatefulSet"),
        ("statefulsets.apps/a", "StatefulSet"),
        ("Deployments/a", "Deployment"),
        ("po/a", "Pod"),
    ],
)
def test_kinds_are_written_as_kubectl_takes_them(words: str, kind: str) -> None:
    assert verbs.parse_target(words) == (kind, "a")


VERBS: list[tuple[Verb, str, str, str]] = [
    (SCALE, "minidns scale statefulset/web --replicas=3", "kubectl scale statefulset/web --replicas=3",
     "statefulset.apps/web scaled"),
    (Delete(target="pod/web-0", namespace="shop"), "minidns delete pod/web-0 -n shop",
     "kubectl delete pod/web-0 -n shop", 'pod "web-0" deleted'),
    (Restart(target="deploy/x"), "minidns rollout restart deploy/x", "kubectl rollout restart deploy/x",
     "deployment.apps/x restarted"),
    (Unready(target="pod/a"), "minidns unready pod/a", "kubectl has no such verb: a pod is unready", "pod/a unready"),
    (Ready(target="pod/a"), "minidns ready pod/a", "kubectl has no such verb: a pod is ready while", "pod/a ready"),
    (Reset(), "minidns reset", "kubectl apply -f FOLDER", "every verb taken back"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "minidns", "kubectl", "said"), VERBS)
def test_a_verb_as_a_command_and_as_json(verb: Verb, minidns: str, kubectl: str, said: str) -> None:
    assert verbs.command(verb) == minidns
    assert verbs.kubectl(verb).startswith(kubectl)
    assert verbs.said(verb) == said
    assert verbs.decode(msgspec.json.encode(verb)) == verb


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "not a verb: input data was truncated"),
        (b"{}", "not a verb: object missing required field `verb`"),
        (b'{"verb": "drain", "target": "node/a"}', "not a verb: verb: invalid value 'drain'"),
        (b'{"verb": "reset", "x": 1}', "not a verb: object contains unknown field `x`"),
        (b'{"verb": "scale", "target": "sts/a", "replicas": -1}', "not a verb: replicas: expected `int` >= 0"),
    ],
)
def test_what_is_no_verb_is_named_by_its_field(body: bytes, text: str) -> None:
    with pytest.raises(VerbError) as raised:
        verbs.decode(body)
    assert str(raised.value) == text


@given(st.binary(max_size=60))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with pytest.raises(VerbError):
        verbs.decode(body)


ANY_VERB = st.one_of(
    st.builds(Scale, target=st.sampled_from(["statefulset/web", "deployment/api"]), replicas=st.integers(0, 4)),
    st.builds(Delete, target=st.sampled_from(["pod/web-0", "pod/web-1", "pod/lone"])),
    st.builds(Restart, target=st.sampled_from(["statefulset/web", "deployment/api"])),
    st.builds(Unready, target=st.sampled_from(["pod/web-0", "pod/web-1", "pod/lone"])),
    st.builds(Ready, target=st.sampled_from(["pod/web-0", "pod/web-1"])),
    st.none(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_VERB, max_size=12))
def test_whatever_was_played_ends_well_and_a_reset_brings_the_manifests_back(played: list[Verb | None]) -> None:
    texts = headless() + workload() + workload("Deployment", "api", spec="paused: false") + pod("lone")
    theatre = Theatre(texts)
    before = {key: obj for key, obj in theatre.state.items() if key[0] is not model.EndpointSlice}
    seen = theatre.seen()
    for verb in played:
        if verb is None:
            theatre.next()
            continue
        with suppress(VerbError):  # that pod is not there by now
            theatre.begin(verb)
        pods = theatre.addresses()
        assert len(set(pods.values())) == len(pods)
    while theatre.play.under_way:
        theatre.next()
    assert not any(name.endswith(("~", "!")) for name in theatre.seen())
    theatre.begin(Reset())
    assert {key: obj for key, obj in theatre.state.items() if key[0] is not model.EndpointSlice} == before
    assert theatre.seen() == seen
    assert not list(theatre.play.in_force())
