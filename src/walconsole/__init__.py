"""The operator's console for PostgreSQL continuous archiving."""

__version__ = "0.1.0"
