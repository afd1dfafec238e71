"""The forward plugin: questions that go to other servers, over UDP, TCP and TLS.

`forwarder` chooses the upstream and counts its failures, `upstream` and `upstream_tcp` ask it, `message` reads what it
said. Imports the core and the configuration.

Start reading: `forwarder.Forwarder`.
"""
