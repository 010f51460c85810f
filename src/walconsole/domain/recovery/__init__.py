"""What a restore could reach: base backups of every writer, windows, and what retention may take."""
