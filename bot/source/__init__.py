"""Source text and configuration: read without running anything, from bytes to values.

`typescript` and `python` parse one file and find workers, dispatches and tokens in it; `yaml`,
`dotenv`, `shell` and `versions` read what stands around; `settle` puts both together. Nothing here
touches a disk: files come in as bytes, and other files of a project through a loader.
"""
