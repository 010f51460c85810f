# -- That what is stored is the backup.

# examine: the tar on standard input against the manifest, its last member, handed on as it is. Leaves backup_manifest,
# `facts`, a line NAME VALUE for each, and `segments`, the WAL that the backup needs.
examine() {
    perl -e "$(examining)" "$temp" "$segment_bytes" "${upon:+$(cat "$temp/upon_start")}" "$openssl" 2>"$temp/said.comparison"
}

examining() {
    cat <<'END_OF_PERL'
@EXAMINE@
END_OF_PERL
}

fact() { sed -n "s/^$1 //p" "$temp/facts"; }

# read_once: the copy's object, from its beginning. Leaves its sum, and how each part of the pipe ended.
read_once() {
    {
        { sent cat "$target$folder$object" 2>"$temp/said.$role"; note "read_$role" $?; } |
            { tee /dev/fd/5; note "read_tee_$role" $?; } |
            { $check >/dev/null 2>"$temp/said.unpacked" 5>&-; note "unpacked_$role" $?; }
    } 5>&1 | hashed >"$temp/read_sum.$role"
}

# read_back: the copy's object is what was sent. Where it can be unpacked here, one copy is, to its end: zstd's own sum of
# what went in is that of the tar whose end, and whose every file, was compared on its way.
read_back() {
    code=$(cat "$temp/ended.$role" 2>/dev/null)
    [ "$code" = 0 ] || bad 1 "not stored in $target: what sends it ended with ${code:-no status}" || return
    first=primary
    [ ! -e "$temp/bad.primary" ] || first=dr
    if [ "$role" = "$first" ] && [ -z "$recipients" ]; then check=unpacked; else check='cat'; fi
    for pause in 3 15 end; do    # what hours took shall not be thrown away for a connection that broke once
        read_once
        code=$(cat "$temp/ended.read_$role" 2>/dev/null)
        case $pause:$code in end:* | *:0) break ;; esac
        sleep "$pause"
    done
    [ "$code" = 0 ] || bad 1 "$object cannot be read back from $target: \
$(reason "${code:-137}" "$(cat "$temp/said.$role")")" || return
    cmp -s "$temp/sent_sum" "$temp/read_sum.$role" ||
        bad 4 "$object in $target is not what was sent" || return
    [ "$(cat "$temp/ended.unpacked_$role" "$temp/ended.read_tee_$role" 2>/dev/null | tr -d '\n')" = 00 ] ||
        bad 4 "$object in $target cannot be unpacked to its end: $(plain "$(cat "$temp/said.unpacked")")" || return
    answer=$(bounded 60 lsf "$target$folder" --files-only --format ps --separator ';' 2>&1) ||
        bad 1 "$target cannot be listed: $(reason $? "$answer")" || return
    printf '%s\n' "$answer" | sed -n "s/^$object;//p" >"$temp/bytes"
}

unpacked() { zstd -q -t; }

# absent: which of `segments` the copy has not, or not whole; fails where it cannot be asked.
absent() {
    xargs -n 50 <"$temp/segments" | while read -r names; do
        wanted=$(for name in $names; do printf '%s %s.zst %s.gz ' "$name" "$name" "$name"; done)
        # shellcheck disable=SC2086  # words
        look "$target" $wanted || {
            reason $? "$answer"
            exit 1
        }
        printf '%s\n' "$answer" | awk -F ';' -v whole="$segment_bytes" -v names="$names" '
            { name = $1; plain = !sub(/\.(zst|gz)$/, "", name)
              if (plain ? $2 == whole : $2 > 0) there[name] = 1 }
            END { n = split(names, each, " "); for (i = 1; i <= n; i++) if (!(each[i] in there)) print each[i] }'
    done
}

# wait_for_wal: a copy is worth something only with the WAL that the backup needs, which the archive command brings.
wait_for_wal() {
    waited=0
    while :; do
        on_each look_for_wal
        lacking=''
        for role in primary dr; do
            [ ! -s "$temp/absent.$role" ] || [ -e "$temp/bad.$role" ] || lacking="$lacking $role"
        done
        [ -n "$lacking" ] || return 0
        [ "$waited" -lt "$patience" ] || break
        sleep "$poll"
        waited=$((waited + poll))
    done
    for role in $lacking; do
        bad 1 "the WAL that the backup needs is not in $(target_of "$role") after $waited s: $(head -n 1 "$temp/absent.$role")"
    done
    any_left
}

look_for_wal() { absent >"$temp/absent.$role.new" || :; mv -f -- "$temp/absent.$role.new" "$temp/absent.$role"; }

version_of() { plain "$("$@" 2>/dev/null | head -n 1)"; }

# describe: backup.json.
describe() {
    read -r sum _ <"$temp/sent_sum" && read -r bytes <"$temp/bytes" || return
    [ -n "$sum" ] && [ -n "$bytes" ] || return
    manifest_bytes=$(wc -c <"$temp/backup_manifest") manifest_sum=$(sha256sum <"$temp/backup_manifest" | cut -d ' ' -f 1)
    encryption=null
    [ -z "$recipients" ] || encryption='"age"'
    kind='"full","parent":null'
    [ -z "$upon" ] || kind="\"incremental\",\"parent\":\"$upon\""
    cat <<JSON && [ -n "$manifest_sum" ]
{"format":1,"id":"$id","label":"walconsole $id","system_identifier":"$identifier","server_version_num":$version,
"timeline":$(fact timeline),"start_lsn":"$(fact start_lsn)","start_wal":"$(fact start_wal)",
"stop_lsn":"$(fact stop_lsn)","stop_wal":"$(fact stop_wal)","checkpoint_lsn":"$(fact checkpoint_lsn)",
"started":"$started","stopped":"$stopped","wal_segment_size":$segment_bytes,"from_standby":$from_standby,
"kind":$kind,
"objects":[{"name":"$object","bytes":$bytes,"sha256":"$sum","unpacked_bytes":$(fact bytes),"files":$(fact files)},
{"name":"backup_manifest","bytes":$((manifest_bytes)),"sha256":"$manifest_sum","unpacked_bytes":$((manifest_bytes)),\
"files":1}],
"compression":"zstd","encryption":$encryption,
"tools":{"pg_basebackup":"$(version_of "$program" --version)","zstd":"$(version_of zstd --version)",\
"rclone":"$(version_of rclone version)"},
"verified":{"read_back":true,"manifest":true,"wal":true}}
JSON
}

# conclude: the last word, and the status.
conclude() {
    took=$(($(date +%s) - began))
    size="$(fact files) files, $(($(fact bytes) / 1048576)) MiB, $((bytes / 1048576)) MiB stored, in $took s"
    size="$size${upon:+; incremental, upon $upon}${instead:+; a full one: $instead}"
    if [ -e "$temp/bad.primary" ] || [ -e "$temp/bad.dr" ]; then
        give_up 5 "$id$(standing) alone ($size): $(whys)"
    fi
    give_up 0 "$id stands in every copy and was read back: $size"
}
