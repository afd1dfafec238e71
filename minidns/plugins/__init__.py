"""What a Corefile can put beside the zone: a module per plugin, under the plugin's name.

`forward/` speaks to upstreams. `chain` joins what comes before the zone, `stages` says which of it a server block has,
`sections` takes answers apart and makes them; `resolver` joins what comes behind the zone (cache, forward), `alias`
what an alias that leads out of it needs. Imports the core and the configuration; `minidns.front` puts it all together.

Start reading: `chain.Chain`, `resolver.Resolver.resolve`.
"""
