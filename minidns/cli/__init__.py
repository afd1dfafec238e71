"""The command line.

`arguments` has the parser and `main`, `commands` what asks a running server, `offline` what does without one, `bench`
the measuring of a server. Imports everything else; nothing imports it.

Start reading: `arguments.main`.
"""

from minidns.cli.arguments import main

__all__ = ["main"]
