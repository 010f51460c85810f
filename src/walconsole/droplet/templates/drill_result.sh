# -- What it proved, beside the backups.

value() { cat "$temp/$1" 2>/dev/null || echo null; }

# result OUTCOME REASON MESSAGE
result() {
    printf '{"format":1,"id":"%s","outcome":"%s","reason":"%s","message":"%s",' "$id" "$1" "$2" "$(plain "$3")"
    printf '"host":"%s","backup":"%s","copy":"%s","system_identifier":"%s",' "$(plain "$(uname -n)")" "$backup" "$copy" "$identifier"
    printf '"server_version_num":%s,"timeline":%s,"wal_segment_size":%s,' "$version" "${timeline:-null}" "$segment_bytes"
    printf '"began":"%s","ended":"%s",' "$(date -u -d "@$began" +%Y-%m-%dT%H:%M:%SZ)" "$(now)"
    printf '"target":"%s","lsn":"%s","level":%s,' "${target_told:-}" "$lsn" "$level"
    printf '"fetch_ms":%s,"verify_ms":%s,' "${took_fetch:-null}" "${took_verify:-null}"
    printf '"replay_ms":%s,"check_ms":%s,' "${took_replay:-null}" "${took_check:-null}"
    printf '"stored_bytes":%s,"unpacked_bytes":%s,' "$total_bytes" "${unpacked:-null}"
    printf '"segments":%s,"segments_replayed":%s,' "$segments" "$segments_done"
    printf '"witness_before":"%s","witness_after":"%s",' "$(plain "${is_before:-}")" "$(plain "${is_after:-}")"
    printf '"databases":%s,"relations":%s,"queries":%s,' "$(value database_count)" "$(value relation_count)" "$(value query_count)"
    printf '"checksums":%s,"amcheck":%s,"restore_command":"%s",' "$(value checksums)" "$(value amcheck)" "${in_force:+in force}"
    printf '"notes":"%s"}\n' "$(plain "$notes $(cat "$temp/notes" 2>/dev/null)")"
}

# keep_here NAME: the result on this host, under that name, replaced whole: of another tool's archive it lies nowhere else.
keep_here() {
    cp -f -- "$temp/result.json" "$state/.$1.$$" 2>/dev/null && mv -f -- "$state/.$1.$$" "$state/$1" && return
    say "$state/$1 cannot be written"
}

# store_result OUTCOME REASON MESSAGE: in each copy; `unstored` says where it is not.
store_result() {
    unstored=''
    target_told=$(printf '%s' "${target_moment:-}" | tr ' ' T)
    result "$@" >"$temp/result.json" || end 1 "$undone: what was found cannot be noted in $temp_root (is its disk full?): $3"
    keep_here last.json
    for role in $(each_copy); do
        again put "$temp/result.json" "$(target_of "$role")walconsole/drills/$id.json" && continue
        unstored="$unstored; what it says could not be stored in $(target_of "$role"): $(reason $? "$answer")"
    done
    prune_results
}

# fail_drill REASON MESSAGE: what is archived cannot be restored.
fail_drill() {
    must_note
    store_result failed "$1" "$2"
    end 4 "FAILED ($1): $2$unstored"
}

# refuse REASON MESSAGE: this host cannot try it.
refuse() {
    store_result refused "$1" "$2"
    end 6 "refused ($1): $2$unstored"
}

conclude() {
    stage=storing
    took=$(((took_fetch + took_verify + took_replay + took_check) / 1000))
    words="$backup restored to $target_moment in $took s: brought in $((took_fetch / 1000)) s, verified in \
$((took_verify / 1000)), $segments_done segments replayed in $((took_replay / 1000)), read in $((took_check / 1000)); level $level of 4"
    store_result proved '' "$words"
    keep_here proved
    [ -z "$unstored" ] || end 5 "$words$unstored"
    end 0 "$words"
}
