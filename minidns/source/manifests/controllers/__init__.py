"""What a cluster's controllers make of manifests: pods, addresses, ClusterIPs, EndpointSlices. No I/O, clock or chance.

`manager` follows edits, `space` works one namespace through, the others are a controller each.

Start reading: `manager.Controllers.update`.
"""
