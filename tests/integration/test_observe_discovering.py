"""Where a server archives to, found out on real hosts with nothing said."""
