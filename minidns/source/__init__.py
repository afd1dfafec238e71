"""Where the cluster's objects come from: an API server, a folder of manifests, a file with an earlier state.

Each source gives changes (`minidns.core.model.Change`), and takes no answer. Imports the core's model and the
configuration.

Start reading: `choice.open_source`.
"""
