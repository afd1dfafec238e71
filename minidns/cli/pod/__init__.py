"""`minidns pod`: a command that resolves names as in a pod, with the programs of this machine.

Start reading: `command`.
"""
