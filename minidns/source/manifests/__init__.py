"""Objects from YAML files, and a cluster played around them.

`folder` finds files and edits, `files` reads them into `objects`, `pods` and `slices`, `shelf` keeps what each file
holds, `controllers/` makes of it what a cluster would, and `log` says so.

Start reading: `source.ManifestSource`.
"""
