"""`minidns lesson`: lists the lessons, plays one beside a cluster of its own, or rehearses it as its author would.

Start reading: `command`, then `player`.
"""

from minidns.cli.lesson.command import add_command

__all__ = ["add_command"]
