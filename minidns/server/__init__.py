"""Sockets, worker processes, and the HTTP side: everything that frames bytes, and nothing that decides an answer.

`udp` and `tcp` bring packets to a front and answers back, `serving` holds what one process answers on, `workers` and
`worker` make that several processes, `http` serves endpoints. Imports the wired site, never a source.

Start reading: `udp`.
"""
