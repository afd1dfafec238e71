"""Objects from an API server: list and watch.

`listwatch` decides (a state machine without I/O), `source` moves its bytes and keeps time, `store` and `decode` make
objects, `connect` and `kubeconfig` find the server and the credentials.

Start reading: `listwatch.Reflector`.
"""
