# answer_of COMMAND...: what it printed, and where it failed what it complained of. What psql warns of while it goes well is
# no part of its answer: of a collation's version, since PostgreSQL 15, each time that it connects.
answer_of() {
    { complaints=$("$@" 2>&1 >&4 4>&-); answered=$?; } 4>&1
    [ "$answered" = 0 ] || [ -z "$complaints" ] || printf '%s\n' "$complaints"
    return "$answered"
}
