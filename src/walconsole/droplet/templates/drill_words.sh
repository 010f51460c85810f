# -- Why the drill's server lets nobody in, or has ended: by words that prove it, of the line that says so. What no such words
# tell is shown as it was said, and is nobody's fault.

# not_to_be_read LINES: the first that says that a file of what was restored may not be read. The server calls those by paths
# below its data directory; the shared memory, sockets and libraries of its host have paths of their own.
not_to_be_read() {
    printf '%s\n' "$1" | while IFS= read -r line; do
        case $line in
            *'data directory "'*'has wrong ownership'* | *'data directory "'*'has invalid permissions'*) ;;
            *': Permission denied'*)
                named=$(printf '%s' "$line" | sed -nE 's/.*[Cc]ould not [a-z ]*"([^"]*)": Permission denied.*/\1/p')
                case $named in "$data" | "$place"/*) ;; '' | /*) continue ;; esac
                ;;
            *) continue ;;
        esac
        printf '%s\n' "$line"
        break
    done
}

# judge_answer TEXT: why a server that runs lets nobody in, which the same question again and again would not change. A locale
# that the host lacks does so, a file that its backends may not read, and whatever it says without an end; or nobody comes as
# far as to it.
turned_away=0 not_reached=0
judge_answer() {
    case $1 in
        *'is incompatible with operating system'*)
            verdict cannot missing-locale "a locale of its databases is not on this host (locale-gen makes it): $(plain "$1")"
            ;;
        *'FATAL:  the database system is '*) turned_away=0 not_reached=0 ;;
        *FATAL:*)
            [ -z "$(not_to_be_read "$1")" ] || wrong_modes "$1"
            turned_away=$((turned_away + 1))
            ;;
        *) not_reached=$((not_reached + 1)) ;;    # its socket is not there at once
    esac
    [ "$turned_away" -lt 60 ] || verdict cannot lets-nobody-in "$its_server lets nobody in: $(plain "$1")"
    [ "$not_reached" -lt 600 ] || verdict cannot lets-nobody-in "$its_server runs, and cannot be asked: $(plain "$1")"
}

wrong_modes() {
    verdict cannot wrong-modes "$its_server may not read what was restored, by its owner or its modes: $(plain "$1")"
}

# judge_room: without room nothing can be unpacked either, and looks damaged.
judge_room() {
    [ "$(free_mib "$place")" -gt $((reserve_mib / 2)) ] || verdict refused no-room "the disk of $folder is full"
}

# said_first WORDS: the first line that has them, from its severity on: what follows from it is said after it.
said_first() { grep -E "$1" "$place/log" | head -n 1 | sed -E 's/^.* (FATAL|PANIC|ERROR|LOG|DETAIL): +/\1: /'; }

# judge_host: what a server needs of its host, whatever it is started upon. /dev/shm without room says what a full disk does,
# and one that is not everybody's what an unreadable file does.
judge_host() {
    case $ended_by in
        *'shared memory'* | *semaphore*)
            verdict cannot host "this host does not give $its_server the shared memory that each server takes (look at /dev/shm and \
at what is free): $(plain "$last_words")"
            ;;
        *'lock file "'*.s.PGSQL.* | *'could not create any Unix-domain sockets'*)
            verdict cannot socket "$its_server could not make its socket in $sockets: $(plain "$(said_first \
                'Unix-domain socket path|could not bind|lock file|could not create any')")"
            ;;
    esac
    if tail -n 12 "$place/log" | grep -q 'No space left on device'; then
        judge_room
        verdict refused no-room "a disk was full: $(plain "$(said_first 'No space left on device')")"
    fi
    if grep -q 'terminated by signal 9' "$place/log"; then
        verdict cannot killed "a part of $its_server was killed (is memory short?)"
    fi
    unread=$(not_to_be_read "$(grep -E 'FATAL|PANIC|DETAIL|^postgres: |^but could not' "$place/log")")
    [ -z "$unread" ] || wrong_modes "$(printf '%s' "$unread" | sed -E 's/^.* (FATAL|PANIC|DETAIL): +//')"
}

# judge_log: why the server ended by itself, in the failure modes' words.
judge_log() {
    wait "$server" 2>/dev/null
    its_status=$?
    # but for what it told the drill itself, which asked before it could answer
    ended_by=$(grep -E 'FATAL|PANIC' "$place/log" | grep -v 'FATAL:  the database system is ')
    last_words=$(plain "$(awk '/FATAL|PANIC|ERROR/ { its = !/FATAL:  the database system is /; if (its) print; next }
        /DETAIL: / && its { print } { its = 0 }' "$place/log" | tail -n 2 | sed -E 's/^.* (FATAL|PANIC|ERROR|DETAIL): +/\1: /')")
    newest=$(sed -n 's/.*restored log file "\([0-9A-F]\{24\}\)".*/\1/p' "$place/log" | tail -n 1)
    following=$(next_segment "$newest")
    judge_host
    if grep -qE 'received (smart|fast|immediate) shutdown request' "$place/log"; then
        verdict cannot killed "$its_server was stopped from outside, not by what it was started for"
    elif grep -qE 'WAL was generated with .?wal_level.?=.?minimal|hot standby is not possible because .*wal_level' "$place/log"; then
        from=$(sed -n 's|.*WAL redo at \([0-9A-F]*/[0-9A-F]*\) for XLOG/PARAMETER_CHANGE.*|\1|p' "$place/log" | tail -n 1)
        # from then on its control file says so, too: no server starts on it again, and none tells the place
        if [ -n "$from" ]; then echo "$from" >"$place/minimal"; else from=$(cat "$place/minimal" 2>/dev/null); fi
        verdict failed not-consistent "from ${from:-some place} on the server that wrote the WAL ran with wal_level = minimal: nothing \
after that can be replayed from $backup. A new recovery leads up to there (--give-up ends one that goes on; --to-lsn ${from:-LSN} \
--before), one from a base backup of afterwards further"
    elif printf '%s\n' "$ended_by" | grep -qE 'could not access file|could not load library|incompatible library'; then
        verdict failed missing-library "a library that the server loads is not here, or cannot be loaded: $last_words"
    elif grep -q 'WAL file is from different database system' "$place/log"; then
        verdict failed wrong-identifier "${newest:-$following} in the archive is another cluster's"
    elif grep -q 'archive file ".*" has wrong size' "$place/log"; then
        verdict failed damaged-object "$(plain "$(grep -o 'archive file ".*" has wrong size.*' "$place/log" | tail -n 1)")"
    elif grep -qE 'is damaged, or it could not be unpacked' "$place/log"; then
        judge_room
        verdict failed damaged-object "$(plain "$(grep -oE '[^ ]* is damaged, or it could not be unpacked' "$place/log" | tail -n 1)")"
    elif grep -qE 'from archive: command not (found|executable)' "$place/log"; then
        verdict failed restore-command "the restore command cannot be run on this host: $(plain "$(grep -E -B 1 \
            'from archive: command not (found|executable)' "$place/log" | tail -n 2)")"
    elif grep -qE 'could not restore file "[0-9A-F.]*.*" from archive' "$place/log"; then
        verdict cannot unreachable "the archive cannot be asked: $(plain "$(grep -vE '^[0-9-]{10} ' "$place/log" | tail -n 1)")"
    elif grep -qE 'recovery ended before configured recovery target was reached|could not (locate|find).*checkpoint record|WAL ends before' \
        "$place/log"; then
        if grep -qE 'invalid (record|magic|resource|contrecord|info bits|page)|incorrect (resource|prev-link)|unexpected pageaddr' "$place/log" &&
            asked_for "$following"; then
            verdict failed damaged-object "${newest:-its WAL} is damaged: $(plain "$(grep -E 'invalid|incorrect|unexpected' "$place/log" | tail -n 1 | sed 's/^[^A-Z]*//')")"
        fi
        look_for "$following"
        verdict failed missing-segment "$following is missing, of those that lead from $backup to now (the last is $last)"
    elif [ -z "$last_words" ]; then
        ! by_signal "$its_status" || verdict cannot killed "$its_server was killed (is memory short?)"
        verdict cannot ended "$its_server ended (status $its_status), and said: $(plain "$(tail -n 3 "$place/log")")"
    elif ! grep -qE 'starting (archive|point-in-time) recovery|starting backup recovery|entering standby mode' "$place/log"; then
        # nothing of the archive was tried
        verdict cannot not-started "$its_server did not start: $last_words"
    fi
    verdict failed not-consistent "the server could not recover: $last_words"
}

