# -- The copies: what is stored in each, and taken away again.

# on_each COMMAND: it, for every copy that has not failed yet, side by side.
on_each() {
    for role in primary dr; do
        target=$(target_of "$role")
        if [ -n "$target" ] && [ ! -e "$temp/bad.$role" ]; then "$1" & fi
    done
    wait
    any_left
}

target_of() { case $1 in primary) printf '%s' "$primary" ;; dr) printf '%s' "$dr" ;; esac; }

# bad STATUS WHY: the copy `role` has failed; the first word about it counts.
bad() {
    [ -e "$temp/bad.$role" ] || printf '%s %s\n' "$1" "$2" >"$temp/bad.$role"
    return 1
}

give_up() {
    printf '%s\n' "$2" >"$temp/last_word"
    exit "$1"
}

# any_left: goes on where a copy is left.
any_left() {
    for role in primary dr; do
        if [ -n "$(target_of "$role")" ] && [ ! -e "$temp/bad.$role" ]; then return 0; fi
    done
    give_up "$(cut -d ' ' -f 1 "$temp"/bad.* | sort -n | tail -n 1)" "no backup was taken: $(whys)"
}

whys() {
    for role in primary dr; do
        [ ! -e "$temp/bad.$role" ] || sed -e 's/^[0-9]* //' "$temp/bad.$role"
    done | tr '\n' ';' | sed -e 's/;$//' -e 's/;/; /g'
}

# sent OPTIONS...: rclone as bounded() has it, for what takes as long as it takes. A part that fails is sent again, four
# times by rclone for each of four by its library.
sent() {
    known_by "$temp/sending.$role" rclone "$@" --config "$config" --log-level ERROR --s3-no-check-bucket --retries 1 \
        --low-level-retries 4 \
        --contimeout @IDLE_TIMEOUT_S@s --timeout @IDLE_TIMEOUT_S@s
}

# again COMMAND...: up to four times: an hour's backup shall not fail for one answer. Its output is `answer`.
again() {
    for pause in 1 3 9 end; do
        answer=$("$@" 2>&1) && return
        failed=$?
        [ "$pause" = end ] || sleep "$pause"
    done
    return "$failed"
}

put() { bounded 120 rcat "$2" <"$1"; }

# keep FILE NAME: a small file into the copy, read back.
keep() {
    again put "$temp/$1" "$target$folder$2" || bad 1 "$2 not stored in $target: $(reason $? "$answer")" || return
    again fetch_sum "$target$folder$2" || bad 1 "$2 cannot be read back from $target: $(reason $? "$answer")" || return
    [ "$answer" = "$(sha256sum <"$temp/$1")" ] || bad 4 "$2 in $target is not what was sent"
}

# fetch_sum OBJECT: the SHA-256 of what is stored, with rclone's status.
fetch_sum() {
    { { bounded 120 cat "$1" 2>&3 && echo 0 >&4; } | sha256sum; } 4>"$temp/fetched.$role" 3>&2 &&
        [ -s "$temp/fetched.$role" ]
}

store_manifest() { keep backup_manifest backup_manifest; }

# publish: from here on it is a backup. What is complete is not taken away again, whatever comes.
publish() {
    upon_stands || return
    keep backup.json backup.json || return
    if ! upon_stands; then
        again bounded 60 deletefile "$target${folder}backup.json"
        return 1
    fi
    : >"$temp/complete.$role"
}

# find_id: the second, where no copy has anything of that name yet: a clock may have been set back.
find_id() {
    trap - EXIT HUP INT QUIT TERM
    for tries in $(seq 5); do
        id=$(date -u +%Y%m%dT%H%M%SZ) folder=base/$id/
        if [ "$id" != "$(cat "$state/last" 2>/dev/null)" ]; then
            rm -f -- "$temp"/taken.*
            on_each begin_copy
            set -- "$temp"/taken.*
            if [ ! -e "$1" ]; then
                echo "$id" >"$temp/id"
                return
            fi
        fi
        sleep 1
    done
    give_up 1 "the names of $tries seconds are taken in the archive: another host stores there (was the clock set back?)"
}

begin_copy() {
    answer=$(bounded 60 lsf "$target$folder" 2>&1) || bad 1 "$target cannot be listed: $(reason $? "$answer")" || return
    [ -z "$answer" ] || : >"$temp/taken.$role"
}

# adopt_id: what is stored from here on is ours, and is noted before.
adopt_id() {
    id=$(cat "$temp/id") folder=base/$id/
    { echo "$id" >>"$state/unfinished" && echo "$id" >"$state/last"; } 2>/dev/null ||
        say "$state cannot be written (is the disk full?): were this run killed, what it left would stay"
}

# forget ID: it is complete, or nothing of it is left.
forget() {
    { grep -vx -- "$1" "$state/unfinished" >"$state/.unfinished" || :; } 2>/dev/null
    mv -f -- "$state/.unfinished" "$state/unfinished" 2>/dev/null
}

# undo ID: nothing of it stays in a copy where it is not complete, nor a session on the server.
undo() {
    ask "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'walconsole $1'" >/dev/null &
    dr_clear=0
    undo_in "$primary" "$1" &
    clearing=$!
    if [ -n "$dr" ]; then undo_in "$dr" "$1" || dr_clear=1; fi
    wait "$clearing" && [ "$dr_clear" = 0 ] && forget "$1"
    wait
}

undo_in() {
    there=$(bounded 30 lsf "$1base/$2/" 2>&1) || {
        say "what may be left of $2 in $1 cannot be listed, so the next run looks again: $(reason $? "$there")"
        return 1
    }
    case " $(printf '%s' "$there" | tr '\n' ' ') " in *' backup.json '*) return 0 ;; esac
    aborted=$(bounded 30 backend cleanup "$1base/$2/" -o max-age=0s 2>&1) ||
        say "uploads that may be pending below $1base/$2/ cannot be aborted (a rule of the bucket's lifecycle can): \
$(reason $? "$aborted")"
    [ -n "$there" ] || return 0
    gone=$(bounded 30 delete "$1base/$2/" 2>&1) || {
        say "what is left of $2 in $1 cannot be deleted, so the next run tries again: $(reason $? "$gone")"
        return 1
    }
}

undo_own() { [ -z "$id" ] || undo "$id"; }

# mend: after runs that were killed.
mend() {
    trap - EXIT HUP INT QUIT TERM
    while read -r left; do
        case $left in ????????T??????Z) undo "$left" ;; esac
    done <<LEFT
$(cat "$state/unfinished" 2>/dev/null)
LEFT
}
