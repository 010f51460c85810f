# Sourced: how long a part of the tests took, as one line that run-tests.sh gathers at its end.
# took NAME SINCE [CPU]: SINCE in seconds since the epoch, CPU a file that `times` was written to.
took() {
    lasted=$(($(date +%s) - $2))
    computed=''
    # The second line is that of the children: user and system, as 12m34.56s 1m2.30s.
    [ -z "${3:-}" ] || computed=$(awk -F '[ms ]+' 'NR == 2 { s = int($1 * 60 + $2 + $3 * 60 + $4)
        printf ", of the processors %d min %02d s", s / 60, s % 60 }' "$3")
    printf 'took %2d min %02d s: %s%s\n' $((lasted / 60)) $((lasted % 60)) "$1" "$computed"
}
