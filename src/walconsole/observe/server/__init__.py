"""What PostgreSQL says of itself, and what its configuration files say."""
