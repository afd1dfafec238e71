"""Which API server, with which credentials, and the HTTP session to it.

Looked for in this order, unless the configuration names one: the service account of the pod minidns runs in, the files
of $KUBECONFIG, ~/.kube/config.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from minidns.config.settings import Cluster
from minidns.source.kubernetes import kubeconfig
from minidns.source.kubernetes.kubeconfig import ConnectError, Credentials
from minidns.source.kubernetes.requests import Request

logger = logging.getLogger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: Seconds to wait for a TCP and TLS handshake.
CONNECT_TIMEOUT = 10.0

Load = Callable[[], Awaitable[Credentials]]


class NoClusterError(ConnectError):
    """Nothing says where an API server is."""


class Connection:
    """An API server. `origin` says in a few words where its address came from. Use as an async context manager."""

    def __init__(self, load: Load, credentials: Credentials, origin: str, token_file: Path | None = None) -> None:
        self.origin = origin
        self._load = load
        self._credentials = credentials
        self._token_file = token_file
        self._lock = asyncio.Lock()
        self._session = _session(credentials)
        self._retired: list[aiohttp.ClientSession] = []

    @property
    def server(self) -> str:
        """The server's URL."""
        return self._credentials.server

    @property
    def credentials(self) -> Credentials:
        """What is used now: another object after `reread`."""
        return self._credentials

    @asynccontextmanager
    async def get(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request. Raises aiohttp.ClientError, TimeoutError or OSError, and so does reading the response."""
        credentials = self._credentials
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=request.deadline)
        async with self._session.get(
            credentials.server.rstrip("/") + request.path,
            params=request.query,
            headers=self._authorization(),
            timeout=timeout,
            proxy=credentials.proxy,
            server_hostname=credentials.server_name,
            allow_redirects=False,
        ) as response:
            yield response

    async def reread(self, refused: Credentials) -> None:
        """The server refused these credentials: read them again, once for all who were refused.

        Raises ConnectError.
        """
        async with self._lock:
            if self._credentials is not refused:
                return
            credentials = await self._load()
            if credentials != refused:
                self._retired.append(self._session)  # its watches go on until they end
                self._session = _session(credentials)
            self._credentials = credentials

    async def close(self) -> None:
        """End every connection."""
        for session in (*self._retired, self._session):
            await session.close()

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _authorization(self) -> dict[str, str]:
        if self._token_file is not None:
            # The kubelet rotates the token well before it expires: the file always has a good one.
            return {"Authorization": f"Bearer {self._token_file.read_text(encoding='ascii').strip()}"}
        authorization = self._credentials.authorization
        return {"Authorization": authorization} if authorization else {}


async def connect(
    cluster: Cluster, environ: Mapping[str, str] = os.environ, service_account: Path = SERVICE_ACCOUNT
) -> Connection:
    """The API server that the configuration names, or the first that is found. Raises NoClusterError, ConnectError."""
    token_file: Path | None = None
    if cluster.endpoint is not None:
        origin, load = "the configuration", _from_endpoint(cluster)
    elif cluster.kubeconfig is None and environ.get("KUBERNETES_SERVICE_HOST"):
        token_file = service_account / "token"
        origin, load = "the pod's service account", _in_cluster(environ, service_account)
    else:
        files = _kubeconfigs(cluster, environ)
        origin, load = f"kubeconfig {files}", _from_kubeconfig(files, cluster.context)
    try:
        credentials = await load()
        connection = Connection(load, credentials, origin, token_file)
    except OSError as error:  # a missing file, or not a certificate: ssl.SSLError is one
        raise ConnectError(f"{origin}: {error}") from error
    logger.info("API server %s, from %s", connection.server, origin)
    return connection


def _in_cluster(environ: Mapping[str, str], service_account: Path) -> Load:
    async def load() -> Credentials:
        host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        return Credentials(server, ca=(service_account / "ca.crt").read_text(encoding="utf-8"))

    return load


def _from_endpoint(cluster: Cluster) -> Load:
    def text(path: Path | None) -> str | None:
        return path.read_text(encoding="utf-8") if path else None

    async def load() -> Credentials:
        pem = text(cluster.ca_cert), text(cluster.client_cert), text(cluster.client_key)
        return Credentials(cluster.endpoint or "", None, *pem)

    return load


def _from_kubeconfig(files: str, context: str | None) -> Load:
    return lambda: kubeconfig.load(files, context)


def _kubeconfigs(cluster: Cluster, environ: Mapping[str, str]) -> str:
    """The kubeconfig files that are there, separated as in $KUBECONFIG."""
    if cluster.kubeconfig is not None:
        if not cluster.kubeconfig.is_file():
            raise ConnectError(f"kubeconfig {cluster.kubeconfig}: there is no such file")
        return str(cluster.kubeconfig)
    usual = str(Path(environ.get("HOME", "/"), ".kube", "config"))
    looked = environ.get("KUBECONFIG") or usual
    found = [file for file in looked.split(os.pathsep) if file and Path(file).expanduser().is_file()]
    if not found:
        where = "$KUBECONFIG" if environ.get("KUBECONFIG") else usual
        raise NoClusterError(
            f"no cluster found (not in a pod, nothing at {where}): "
            "name one with --kubeconfig FILE, or serve a folder with --manifests DIR"
        )
    return os.pathsep.join(found)


def _session(credentials: Credentials) -> aiohttp.ClientSession:
    secure = credentials.server.startswith("https:")
    connector = aiohttp.TCPConnector(limit=0, ssl=_tls(credentials) if secure else True)
    # No compression: watches, streaming lists among them, never have it, and pages are small. (Inflating 36 MB: 57 ms.)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "minidns"}
    return aiohttp.ClientSession(connector=connector, headers=headers, trust_env=True)


def _tls(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=credentials.ca)
    # Cluster certificate authorities often lack extensions that RFC 5280 wants; Go, and so kubectl, takes them as well.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not credentials.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.client_cert:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:  # OpenSSL reads a chain from a file only
            pem.write(credentials.client_cert + "\n" + (credentials.client_key or ""))
            pem.flush()
            context.load_cert_chain(pem.name)
    return context
