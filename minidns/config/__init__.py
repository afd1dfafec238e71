"""The configuration: frozen values that are validated when they are made, and the languages they are written in.

`settings` is one process's, `plugins` a server block's parts other than the cluster, `values` addresses, zones and
durations as text, `corefile/` CoreDNS's language. Imports the core's names for things, nothing else.

Start reading: `settings.Config`, `corefile.reader.read`.
"""
