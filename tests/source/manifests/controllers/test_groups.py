"""Pods beyond those of StatefulSets and Deployments, and pods that fare otherwise than the rest of their workload."""

from __future__ import annotations

import pytest

from tests.support.manifested import World, headless, workload

JOB = """---
apiVersion: batch/v1
kind: Job
metadata: {{name: sort}}
spec: {{{spec}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{subdomain: web}}}}}}
"""
CRON = """---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec: {{{spec}schedule: "@daily", jobTemplate: {{spec: {{completionMode: Indexed, completions: 2, parallelism: 2,
  template: {{metadata: {{labels: {{app: web}}}}, spec: {{subdomain: web}}}}}}}}}}
"""


def hostnames(world: World) -> list[str | None]:
    return [endpoint.hostname for endpoint in world.endpoints("web")]


def test_pods_of_an_indexed_job_have_hostnames_by_their_index() -> None:
    world = World()
    world.write(headless() + JOB.format(spec="completionMode: Indexed, completions: 5, parallelism: 3"))
    assert hostnames(world) == ["sort-0", "sort-1", "sort-2"]
    for number, name in enumerate(world.pods()):
        assert name.startswith(f"sort-{number}-")
        assert len(name) == len("sort-0-abcde")


def test_pods_of_another_job_have_none() -> None:
    world = World()
    world.write(headless() + JOB.format(spec="parallelism: 2"))
    assert hostnames(world) == [None, None]


def test_no_more_pods_than_completions() -> None:
    world = World()
    world.write(headless() + JOB.format(spec="completions: 1, parallelism: 4"))
    assert len(world.pods()) == 1


@pytest.mark.parametrize(
    "text",
    [
        JOB.format(spec="suspend: true"),
        JOB.format(spec="parallelism: 1") + "status: {conditions: [{type: Complete, status: 'True'}]}\n",
        CRON.format(spec="suspend: true, "),
    ],
)
def test_a_job_that_is_suspended_or_has_ended_has_no_pods(text: str) -> None:
    world = World()
    world.write(headless() + text)
    assert not world.pods()


def test_a_cron_job_has_one_job_whose_name_stays() -> None:
    world, other = World(), World()
    world.write(headless() + CRON.format(spec=""))
    other.write(CRON.format(spec="") + headless())
    names = hostnames(world)
    assert names == hostnames(other)
    assert [str(name).rpartition("-")[2] for name in names] == ["0", "1"]
    assert all(str(name).startswith("nightly-2") for name in names)


def test_a_job_that_a_cron_job_made_is_not_made_again() -> None:
    world = World()
    job = JOB.format(spec="parallelism: 1").replace("{name: sort", "{name: sort, ownerReferences: "
                                                    "[{kind: CronJob, name: nightly}]")  # fmt: skip
    world.write(headless() + CRON.format(spec="") + job)
    assert len(world.pods()) == 1


def test_a_service_can_select_a_job_and_one_index_of_it() -> None:
    world = World()
    selector = '"batch.kubernetes.io/job-name": sort, "batch.kubernetes.io/job-completion-index": "1"'
    world.write(
        headless(spec=f"selector: {{{selector}}}, ports: [{{port: 80}}]")
        + JOB.format(spec="completionMode: Indexed, completions: 3, parallelism: 3")
    )
    assert hostnames(world) == ["sort-1"]


@pytest.mark.parametrize("listed", ["web-1", "1", "web-1, web-9", " 1 , 7"])
def test_an_annotation_names_the_pods_that_are_not_ready(listed: str) -> None:
    world = World()
    world.write(headless() + workload(replicas=3, annotations=f'minidns.dev/not-ready: "{listed}"'))
    assert [endpoint.ready for endpoint in world.endpoints("web")] == [True, False, True]


def test_numbers_of_a_stateful_set_begin_where_its_ordinals_do() -> None:
    world = World()
    annotations = 'minidns.dev/not-ready: "5"'
    world.write(headless() + workload(spec="serviceName: web, ordinals: {start: 5}", annotations=annotations))
    assert [(each.pod, each.ready) for each in world.endpoints("web")] == [("web-5", False), ("web-6", True)]


def test_pods_of_a_deployment_are_named_by_number() -> None:
    world = World()
    world.write(headless() + workload("Deployment", spec="paused: false", annotations='minidns.dev/not-ready: "0"'))
    assert [endpoint.ready for endpoint in world.endpoints("web")] == [False, True]
