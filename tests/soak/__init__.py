"""A soak: everything that can go wrong around a server goes wrong at once, under load, for as long as is wanted.

`make soak`, or `python -m tests.soak --help`. Follow it from `tests.soak.run`: what disturbs is in `api`, `upstream`,
`packets`, `connections`, `streams` and `faults`, the clients that expect an answer are in `load` and `secondary`, and
`verdict` says whether the server held. Everything is on loopback, and bounded in number and time.
"""
