"""Rules that turn a snapshot into findings and a verdict, one module a family of failures."""
