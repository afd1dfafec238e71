"""What a Corefile can put beside the zone: a module per plugin, under the plugin's name.

`forward/` speaks to upstreams. `preceding` joins what comes before the zone (rewrite, hosts), `resolver` what comes
behind it (cache, forward), `alias` what an alias that leads out of the zone needs of both. Imports the core and the
configuration; which plugins a server block has, and in which order, is `minidns.front`'s to say.

Start reading: `resolver.Resolver.resolve`.
"""
