# -- On another host than production's: what production was asked is told in a file, with the witnesses it was given.

told_fields='version standby identifier segment_bytes tablespaces expected max_wal preloaded before target_moment after last'

# recall_told: sets what `learn` asks of a server that is here.
recall_told() {
    for field in $told_fields; do eval "$field=''"; done
    [ -r "$state/told" ] || end 2 "$state/told is not there: walconsole drill --on writes it, which asks production"
    while IFS= read -r line; do
        # shellcheck disable=SC2034  # its name is in what is evaluated
        field=${line%%=*} value_told=${line#*=}
        case " $told_fields " in *" $field "*) eval "$field=\$value_told" ;; esac
    done <"$state/told"
    case $version$segment_bytes$tablespaces$expected$max_wal$before$after in
        '' | *[!0-9]*) end 2 "$state/told does not say what production was asked" ;;
    esac
    case $last in ????????????????????????) ;; *) end 2 "$state/told names no segment" ;; esac
    in_force=''
    find_programs "$version"
    libraries=$("$bin/pg_config" --pkglibdir 2>/dev/null)
}

# forget_told: it, and the keys that were brought for this drill.
forget_told() {
    rm -f -- "$state/told"
    case $config in "$state"/*) rm -f -- "$config" ;; esac
}
