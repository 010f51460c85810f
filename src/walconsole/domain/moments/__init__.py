"""Find the moment: what the archived WAL says happened when, and where a recovery stops just before it."""
