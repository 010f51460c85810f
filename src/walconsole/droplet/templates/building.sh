# -- What an incremental backup builds upon: the newest base backup of this cluster that is whole in every copy, with all
# that it builds upon itself. Where there is none, a full one is taken, and it is said why: that is worth more than none.

full_for() {
    rm -f -- "$temp"/upon_*
    printf '%s\n' "$1" >"$temp/instead"
    exit 0
}

# choose_upon: leaves `chain`, the ids from the full one on, with the last one's `upon_manifest` and `upon_start`; or
# `instead`, why there is nothing to build upon.
choose_upon() {
    trap - EXIT HUP INT QUIT TERM
    [ "$wanted" != turn ] || [ "$in_turn" != 0 ] || full_for "in turn, as each"
    [ "$version" -ge 170000 ] || full_for "PostgreSQL $((version / 10000)) takes no incremental ones, 17 does"
    case $("$program" --help 2>/dev/null) in *--incremental*) ;; *) full_for "$program takes no incremental ones" ;; esac
    [ "$summaries" = on ] || full_for "summarize_wal is off, so that the server does not note what changes"
    listed=$(bounded 60 lsf "${primary}base/" --dirs-only 2>&1) || full_for "$primary cannot be listed: $(reason $? "$listed")"
    first_why=''
    for newest in $(printf '%s\n' "$listed" | sed -n 's|^\([0-9]\{8\}T[0-9]\{6\}Z\)/$|\1|p' | sort -r | head -n 5); do
        if trace "$newest" >"$temp/why" && take_manifest "$newest" >"$temp/why"; then
            # shellcheck disable=SC2086  # words
            set -- $chain
            [ "$wanted" != turn ] || [ $# -le "$in_turn" ] || full_for "in turn after $in_turn incremental ones"
            echo "$chain" >"$temp/chain"
            exit 0
        fi
        first_why=${first_why:-"$newest: $(plain "$(cat "$temp/why")")"}
    done
    full_for "there is none yet to build upon${first_why:+ ($first_why)}"
}

# trace ID: sets `chain`; says what is wrong with one of it.
trace() {
    above=$1 chain='' deep=0
    while [ -n "$above" ]; do
        case $above in ????????T??????Z) ;; *) echo "what it builds upon has no backup's name" && return 1 ;; esac
        deep=$((deep + 1))
        [ $deep -le 99 ] || { echo "it builds upon itself" && return 1; }
        for role in primary dr; do
            target=$(target_of "$role")
            [ -z "$target" ] || whole "$above" || return
        done
        if [ -n "$dr" ] && ! cmp -s "$temp/told.primary.$above" "$temp/told.dr.$above"; then
            echo "the copies have two backups of the name $above"
            return 1
        fi
        chain="$above${chain:+ $chain}" role=primary
        above=$(told "$above" parent)
        [ "$above" != null ] || above=''
    done
}

# told ID KEY: a value of its backup.json in the copy that was looked at, as far as it is a plain word.
told() { sed -n "s/.*\"$2\":\"\{0,1\}\([0-9A-Za-z\/]*\)[\",}].*/\1/p" "$temp/told.$role.$1" | head -n 1; }

# whole ID: it is complete in the copy `target` and of this cluster, by its backup.json and a listing; else says why not.
whole() {
    again bounded 60 cat --head 65536 "${target}base/$1/backup.json" || {
        echo "$1 in $target cannot be read: $(reason $? "$answer")"
        return 1
    }
    printf '%s\n' "$answer" >"$temp/told.$role.$1"
    again bounded 60 lsf "${target}base/$1/" --files-only --format ps --separator ';' || {
        echo "$1 in $target cannot be listed: $(reason $? "$answer")"
        return 1
    }
    sealed=null
    [ -z "$recipients" ] || sealed=age
    while read -r key is; do
        [ "$(told "$1" "$key")" = "$is" ] && continue
        echo "$1 in $target is none to build upon: its $key is not $is"
        return 1
    done <<IS
format 1
id $1
system_identifier $identifier
wal_segment_size $segment_bytes
encryption $sealed
IS
    case $(told "$1" server_version_num) in
        $((version / 10000))????) ;;
        *) echo "$1 in $target is another version's" && return 1 ;;
    esac
    grep -o '"name":"[a-z._]*","bytes":[0-9]*' "$temp/told.$role.$1" | sed 's/"name":"//; s/","bytes":/;/' >"$temp/objects.$role"
    [ -s "$temp/objects.$role" ] || {
        echo "$1 in $target is incomplete"
        return 1
    }
    while read -r object_is; do
        printf '%s\n' "$answer" | grep -qxF -- "$object_is" && continue
        echo "$1 in $target is incomplete: ${object_is%;*} is not there as it was stored"
        return 1
    done <"$temp/objects.$role"
}

# take_manifest ID: what the server compares with.
take_manifest() {
    role=primary
    bounded 600 cat "${primary}base/$1/backup_manifest" 2>"$temp/noise.manifest" >"$temp/upon_manifest" || {
        echo "its manifest cannot be read: $(reason $? "$(cat "$temp/noise.manifest")")"
        return 1
    }
    is=$(sed -n 's/.*"name":"backup_manifest","bytes":[0-9]*,"sha256":"\([0-9a-f]*\)".*/\1/p' "$temp/told.primary.$1")
    [ "$(sha256sum <"$temp/upon_manifest" | cut -d ' ' -f 1)" = "$is" ] || {
        echo "its manifest is not what was stored"
        return 1
    }
    echo "$(told "$1" timeline) $(told "$1" start_lsn)" >"$temp/upon_start"
}

# take_back: nothing stays of one that the server refused.
take_back() {
    trap - EXIT HUP INT QUIT TERM
    undo_own
}

# adopt_upon: sets `chain`, `upon` and `instead`.
adopt_upon() {
    chain=$(cat "$temp/chain" 2>/dev/null) instead=$(cat "$temp/instead" 2>/dev/null)
    upon=${chain##* }
    [ -n "$upon$instead" ] || end 1 "what looks for a base backup to build upon found neither one nor a reason"
}

# upon_stands: in the copy `target` there is still all that this one builds upon.
upon_stands() {
    for each in $chain; do
        wrong=$(whole "$each") || bad 1 "what it builds upon is gone meanwhile: $wrong" || return
    done
}
