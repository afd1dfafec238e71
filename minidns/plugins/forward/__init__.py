"""The forward plugin: questions that go to other servers, over UDP, TCP and TLS.

`forwarder` chooses the upstream and counts its failures, `upstream` and `upstream_tcp` ask it, `message` keeps what it
said, and where names have to be known, `reading` reads it. Imports the core and the configuration.

Start reading: `forwarder.Forwarder`.
"""
