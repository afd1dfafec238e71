"""THE core: packets and changes in, answers out, as pure functions over one index by name.

What lives here, bottom-up: names (wire form), records, model (the cluster's objects, cut down to what DNS needs),
schema (which object gives which records to which names: headless is there), cluster (the objects), zone (the index),
why and reasons (why an answer is what it is), answers, ready and wire (answers as bytes), responder (the one entry for
every transport). It imports nothing of minidns but itself, and no I/O, clock, event loop or Kubernetes client.

Start reading: `responder.respond` for a packet, `zone.Zone.apply` for a change.
"""
