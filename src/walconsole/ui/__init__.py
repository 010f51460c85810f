"""The Textual front end: it renders snapshots and fetches nothing."""
