# -- Results of earlier drills: in each copy the newest stay, and the newest good one, however old it is.

prune_results() {
    for role in $(each_copy); do
        below=$(target_of "$role")walconsole/drills/
        again bounded 60 lsf "$below" --files-only || continue
        printf '%s\n' "$answer" | grep -x '[0-9]\{8\}T[0-9]\{6\}Z[.]json' | sort -r >"$temp/results"
        tail -n "+$((kept_results + 1))" "$temp/results" >"$temp/pruned"
        [ -s "$temp/pruned" ] || continue
        if find_good; then
            grep -vxF -- "$good" "$temp/pruned" >"$temp/pruned.now" || continue
            answer=$(bounded 120 delete "$below" --files-from "$temp/pruned.now" 2>&1) ||
                say "old results of drills cannot be taken away from $below: $(reason $? "$answer")"
        fi
    done
}

# find_good: sets `good`, the newest that was proved, `none` where none was; fails where one newer than it cannot be read,
# for then nobody knows.
find_good() {
    good=none
    while read -r each; do
        told=$(bounded 60 cat --head 4096 "$below$each" 2>/dev/null) || return
        case $told in
            *'"outcome":"proved"'*)
                good=$each
                return 0
                ;;
        esac
    done <"$temp/results"
}
