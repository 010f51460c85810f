# -- A base backup of pgBackRest's, by its own commands. `pgbackrest` is how it is called, words without blanks: what stands
# before the program, that, and the options that say whence.

# theirs WORDS...: pgBackRest on the recovered tree.
theirs() {
    # shellcheck disable=SC2086  # words
    $pgbackrest "--pg1-path=$data" --log-level-file=off --log-level-stderr=off --log-level-console=warn "$@"
}

restore_theirs() {
    timed fetch fetching bring_theirs
    took_verify=0    # it compares each file with its manifest while it restores
    find_programs "$(cat "$data/PG_VERSION")0000"
    "$bin/pg_controldata" "$data" >"$temp/control" 2>&1 ||
        fail_drill damaged-object "its control file cannot be read: $(plain "$(cat "$temp/control")")"
    identifier=$(sed -n 's/^Database system identifier: *//p' "$temp/control")
    segment_bytes=$(sed -n 's/^Bytes per WAL segment: *//p' "$temp/control")
    first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p' "$data/backup_label")
    printf '{"server_version_num":%s,"wal_segment_size":%s,"system_identifier":"%s","start_wal":"%s"}\n' \
        "$version" "$segment_bytes" "$identifier" "$first" >"$temp/told.$backup"
}

bring_theirs() {
    trap - EXIT HUP INT QUIT TERM
    mkdir -m 700 "$data" "$place/tablespaces" || verdict cannot disk "$place cannot be written"
    theirs @APART@ "--set=$backup" "--tablespace-map-all=$place/tablespaces" --type=none restore >"$temp/said.theirs" 2>&1 && return
    ! grep -q 'No space left' "$temp/said.theirs" || verdict refused no-room "the disk of $place is full"
    verdict cannot pgbackrest "pgbackrest does not restore $backup: $(plain "$(tail -n 3 "$temp/said.theirs")")"
}

# fetch_by_theirs: sets `fetching`, a command that says of a missing file what ours says, for who follows the server's log.
fetch_by_theirs() {
    fetching=$place/fetch
    cat >"$fetching" <<FETCH
#!/bin/sh
said=\$($pgbackrest "--pg1-path=$data" --no-archive-async --log-level-file=off --log-level-console=off \\
    --log-level-stderr=warn archive-get "\$1" "\$2" 2>&1)
case \$? in
    0) exit 0 ;;
    1)
        echo "\$1 is not in the archive" >&2
        exit 1
        ;;
esac
echo "\$1 not restored, and not known to be missing: \$said" >&2
exit 75
FETCH
    chmod 700 "$fetching" || end 1 "$undone: $place cannot be written"
}
