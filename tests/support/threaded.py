"""The API server for tests in a thread of its own, for tests that wait for processes; and a kubeconfig for it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.support.apiserver import JSON, ApiServer

T = TypeVar("T")
PATIENCE = 20.0


class ThreadedApiServer:
    """An ApiServer that any thread may talk to. url: stays the same over `stop` and `start`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(_made())
        self._run(self._server.start())
        self.url = self._server.url

    def do(self, call: Callable[[ApiServer], T]) -> T:
        """Call it with the server, where the server runs."""

        async def called() -> T:
            return call(self._server)

        return self._run(called())

    def start(self) -> None:
        """Come back on the same port."""
        self._run(self._server.start(self._server.port))

    def stop(self) -> None:
        """As if its machine was gone."""
        self._run(self._server.stop())

    def put(self, resource: str, item: JSON) -> None:
        self.do(lambda server: server.put(resource, item))

    def delete(self, resource: str, namespace: str, name: str) -> None:
        self.do(lambda server: server.delete(resource, namespace, name))

    def close(self) -> None:
        self.stop()
        self._run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def kubeconfig(self, folder: Path) -> str:
        """The path of a new kubeconfig that names this server."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {}}],
        }
        (folder / "kubeconfig").write_text(json.dumps(config))
        return str(folder / "kubeconfig")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


async def _made() -> ApiServer:
    return ApiServer()


async def _cancel_all() -> None:
    if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextmanager
def api_server() -> Iterator[ThreadedApiServer]:
    """An API server without objects."""
    server = ThreadedApiServer()
    try:
        yield server
    finally:
        server.close()


def namespace(name: str) -> JSON:
    return {"metadata": {"name": name}}


def service(name: str, **spec: Any) -> JSON:
    """A Service in `default`."""
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def endpoints(service: str, *addresses: str) -> JSON:
    """The one slice of a Service in `default`: ready endpoints SERVICE-0, SERVICE-1 ..., port 80 `http`."""
    return {
        "metadata": {
            "name": f"{service}-abc",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [address], "hostname": f"{service}-{number}", "conditions": {"ready": True}}
            for number, address in enumerate(addresses)
        ],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    }
