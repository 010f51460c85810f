"""PostgreSQL's configuration files: how the server reads them, which line wins, which file is dead.

Pure: what was read on the host goes in (`tree`), the resolution comes out. From the bottom up:
`reader` (one file's lines, includes, the server's order), `values` (units and synonyms),
`catalogue` (what settings there are), `commandline`, `loading` (start and reload), `resolution`
(chains), `start` (who started the server, and how), `dead` (files that are never read), `advice`
(where a new value would win).
"""
