"""The parts of a server block other than the cluster: a module per plugin, under the plugin's name.

Frozen values, checked when they are made. `coredns` lists every plugin that CoreDNS has, in CoreDNS's order.
"""
