# -- The lock in the copies, walconsole/lock.json: while it lies there nothing is deleted that a drill reads.

target_of() { case $1 in primary) printf '%s' "$primary" ;; dr) printf '%s' "$dr" ;; esac; }

# each_copy: the roles of those that there are.
each_copy() { if [ -n "$dr" ]; then echo primary dr; else echo primary; fi; }

# again COMMAND...: up to three times. Its output is `answer`.
again() {
    for between in 1 3 end; do
        answer=$("$@" 2>&1) && return
        failed=$?
        [ "$between" = end ] || pause "$between"
    done
    return "$failed"
}

put() { bounded 120 rcat "$2" <"$1"; }

# read_lock ROLE: `lying`, what lies there; empty where nothing does.
read_lock() {
    lying='' where=$(target_of "$1")
    again bounded 60 lsf "${where}walconsole/" --files-only || {
        why="$where cannot be listed: $(reason $? "$answer")"
        return 1
    }
    case " $(printf '%s' "$answer" | tr '\n' ' ') " in *' lock.json '*) ;; *) return 0 ;; esac
    again bounded 60 cat --head 4097 "${where}walconsole/lock.json" || {
        why="the lock in $where cannot be read: $(reason $? "$answer")"
        return 1
    }
    lying=$answer
}

nonce_in() { printf '%s' "$1" | sed -n 's/.*"nonce": *"\([0-9a-f]\{32\}\)".*/\1/p' | head -n 1; }

# words_in NAME TEXT: what a lock says of it.
words_in() { printf '%s' "$2" | sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' | head -n 1; }

# gives_way: whether `lying` is a drill's, before which a recovery goes, dead or alive: this lock keeps what the drill reads as
# well, and the drill ends when it next looks at its own.
gives_way() { [ "$purpose" = 'a recovery' ] && [ "$(words_in purpose "$1")" = 'a restore drill' ]; }

# is_held: whether `lying` is another's that may live. One that cannot be read holds until somebody takes it away.
is_held() {
    [ -n "$lying" ] || return 1
    [ "$(nonce_in "$lying")" != "$dead_nonce" ] || return 1
    ! gives_way "$lying" || return 1
    until=$(printf '%s' "$lying" | sed -n 's/.*"until": *\([0-9]\{1,12\}\)[.,} ].*/\1/p' | head -n 1)
    [ -n "$until" ] || return 0
    [ "$until" -gt "$(date +%s)" ]
}

# who_holds: `lying` in words: what for, who, and until when, where it can be read.
who_holds() {
    owner=$(words_in owner "$lying") what=$(words_in purpose "$lying")
    if [ -z "$owner" ] || [ -z "$what" ] || [ -z "$until" ] || ! ends=$(date -u -d "@$until" +%H:%M:%SZ 2>/dev/null); then
        plain "$lying"
        return
    fi
    plain "$what by $owner holds it, until $ends at the latest where that one does not live any more"
}

# take_lock: in every copy, read back; of two who write at once the last one has it.
take_lock() {
    dead_nonce=$(head -c 32 "$state/nonce" 2>/dev/null)
    dead_nonce=${dead_nonce:-none}
    for role in $(each_copy); do
        read_lock "$role" || end 1 "$undone: $why"
        ! gives_way "$lying" || say "a restore drill has the lock of $(target_of "$role"): it gives way, and ends by itself within 5 min where it runs"
        ! is_held || end 3 "$undone: $(target_of "$role") is locked: $(who_holds)"
    done
    nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    echo "$nonce" >"$state/nonce" || end 1 "$undone: $state cannot be written (is the disk full?)"
    locked=yes
    for role in $(each_copy); do
        write_lock "$role" || end 1 "$undone: the lock cannot be written to $(target_of "$role"): $(reason $? "$answer")"
    done
    for role in $(each_copy); do
        read_lock "$role" || end 1 "$undone: $why"
        [ "$(nonce_in "$lying")" = "$nonce" ] || end 3 "$undone: another took the lock in $(target_of "$role") at the same time"
    done
}

write_lock() {
    renewed=$(date +%s)
    printf '{"format": 1, "owner": "%s", "purpose": "%s", "until": %s, "nonce": "%s"}\n' \
        "$(plain "$me on $(uname -n), process $$")" "$purpose" $((renewed + 900)) "$nonce" >"$temp/lock.json" || {
        answer="$temp_root takes no small file any more"    # an empty one would be nobody's, and would hold
        return 1
    }
    again put "$temp/lock.json" "$(target_of "$1")walconsole/lock.json"
}

# hold_lock: renewed where a third of its time is over. Lost, the drill ends: what it reads may be deleted under it.
hold_lock() {
    [ $(($(date +%s) - renewed)) -ge 300 ] || return 0
    for role in $(each_copy); do
        if read_lock "$role" && [ -n "$lying" ] && [ "$(nonce_in "$lying")" != "$nonce" ] && ! gives_way "$lying"; then
            end 3 "$undone to its end: another took the lock in $(target_of "$role"): $(words_in purpose "$lying") by $(plain "$(words_in owner "$lying")")"
        fi
        write_lock "$role" || say "the lock in $(target_of "$role") cannot be renewed: $(reason $? "$answer")"
    done
}

release_lock() {
    for role in $(each_copy); do
        if ! read_lock "$role"; then
            say "$why; the lock runs out by itself"
            continue
        fi
        [ "$(nonce_in "$lying")" = "$nonce" ] || continue
        again bounded 60 deletefile "$(target_of "$role")walconsole/lock.json" ||
            say "the lock in $(target_of "$role") cannot be taken away, and runs out by itself: $(reason $? "$answer")"
    done
    locked=''
    rm -f -- "$state/nonce"
}
