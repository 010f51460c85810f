"""The pure core: facts, arithmetic and decisions. No I/O, no clock, no asyncio."""
