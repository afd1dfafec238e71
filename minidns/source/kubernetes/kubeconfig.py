"""Kubeconfig files, read by kubernetes_asyncio in a process of its own: this module, run with `python -m`.

Why a process: importing kubernetes_asyncio's configuration imports all of its model classes, 38 MB that the server
would hold for ever, as much as it needs without them. A plugin that hangs can be ended with it, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import msgspec

#: Seconds: an exec plugin may have someone log in with a browser.
PATIENCE = 300.0


class ConnectError(Exception):
    """The configuration or the credentials of an API server cannot be used; the text says which and why."""


class Credentials(msgspec.Struct, frozen=True):
    """An API server and how to speak to it. Certificates and keys are PEM text; `authorization` is a header's value."""

    server: str
    authorization: str | None = None
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None


class _Answer(msgspec.Struct):
    credentials: Credentials | None = None
    error: str = ""


async def load(files: str, context: str | None) -> Credentials:
    """The credentials of a context (None: the current one) of kubeconfig files, separated as in $KUBECONFIG.

    Raises ConnectError.
    """
    command = [sys.executable, "-m", __name__, files, *([context] if context else [])]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, start_new_session=True)
    try:
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
        answer = msgspec.json.decode(output, type=_Answer)
    except TimeoutError:
        raise ConnectError(f"kubeconfig {files}: no credentials after {PATIENCE:.0f} s") from None
    except msgspec.MsgspecError:
        raise ConnectError(f"kubeconfig {files}: reading it ended with status {process.returncode}") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # with the plugin that it waits for
            await process.wait()
    if answer.credentials is None:
        raise ConnectError(f"kubeconfig {files}: {answer.error}")
    return answer.credentials


async def _read(files: str, context: str | None) -> Credentials:
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import load_kube_config

    configuration = Configuration(host="")
    await load_kube_config(config_file=files, context=context, client_configuration=configuration)
    if not configuration.host:
        raise ConnectError("the context's cluster has no server")

    def text(path: str | None) -> str | None:
        return Path(path).read_text(encoding="utf-8") if path else None

    return Credentials(
        server=configuration.host,
        authorization=configuration.api_key.get("BearerToken", "").strip() or None,
        ca=text(configuration.ssl_ca_cert),
        client_cert=text(configuration.cert_file),
        client_key=text(configuration.key_file),
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
    )


def main() -> None:
    """Print the credentials, or why there are none, as JSON."""
    logging.disable()  # what is logged on the way is in the error as well
    files, context = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    try:
        answer = _Answer(asyncio.run(_read(files, context)))
    except Exception as error:
        # Whatever is wrong with the files: a YAML error, a missing key, a plugin that failed.
        answer = _Answer(error=" ".join(str(error).split()) or f"it is incomplete ({type(error).__name__})")
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
