"""SQL, one file a query."""
