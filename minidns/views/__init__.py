"""What people and programs see of the index: the feed of changes, the records that came and went, zone files.

Pure, like the core that it looks at; imports the core and the words of `minidns.explain`.

Start reading: `changes.event_of`.
"""
