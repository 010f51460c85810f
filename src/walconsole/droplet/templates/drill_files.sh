# -- A base backup's description, all that it builds upon, and its files.

# verdict KIND REASON MESSAGE: how a phase ends the drill: failed (what is archived is at fault), refused (this host is),
# cannot (nobody is known to be).
verdict() {
    printf '%s %s %s\n' "$1" "$2" "$3" >"$temp/verdict"
    exit 1
}

# by_signal STATUS: what ended so was killed; of PIPE (141) another part is the cause. Whom a host kills, that says nothing
# of what is archived.
by_signal() { [ "${1:-0}" -gt 128 ] && [ "$1" != 141 ]; }

# damaged STATUS MESSAGE: of what a program with this status found. What may not be read is not known to be damaged.
damaged() {
    ! by_signal "$1" || verdict cannot killed "what was $stage was killed (is memory short?)"
    case $2 in *': Permission denied'*) verdict cannot wrong-modes "$2" ;; esac
    verdict failed damaged-object "$2"
}

settle() {
    if ! read -r kind why said 2>/dev/null <"$temp/verdict"; then
        must_note
        end 1 "$undone: what is $stage was killed (is memory short?): $(plain "$(cat "$temp/noise" 2>/dev/null)")"
    fi
    case $kind in
        failed) fail_drill "$why" "$said" ;;
        refused) refuse "$why" "$said" ;;
        *) end 1 "$undone: $said" ;;
    esac
}

# told ID KEY: a value of its backup.json, as far as it is a plain word.
told() { sed -n "s/.*\"$2\":\"\{0,1\}\([0-9A-Za-z\/]*\)[\",}].*/\1/p" "$temp/told.$1" | head -n 1; }

# describe_backup ID: its backup.json. Without one it is none.
describe_backup() {
    again bounded 60 lsf "${target}base/$1/" --files-only --format ps --separator ';' ||
        end 1 "$undone: ${target}base/$1/ cannot be listed: $(reason $? "$answer")"
    printf '%s\n' "$answer" >"$temp/listed.$1" || full_temp
    grep -q '^backup[.]json;' "$temp/listed.$1" || return 1
    again bounded 60 cat --head 65536 "${target}base/$1/backup.json" ||
        end 1 "$undone: ${target}base/$1/backup.json cannot be read: $(reason $? "$answer")"
    printf '%s\n' "$answer" >"$temp/told.$1" || full_temp
}

# trace: `chain`, the ids from the full one on. Each must be there as its backup.json says.
trace() {
    above=$backup
    while [ -n "$above" ]; do
        case $above in ????????T??????Z) ;; *) fail_drill damaged-object "what $backup builds upon has no backup's name" ;; esac
        case " $chain " in *" $above "*) fail_drill damaged-object "$above builds upon itself" ;; esac
        [ -e "$temp/told.$above" ] || describe_backup "$above" ||
            fail_drill damaged-object "$backup builds upon $above, which is not in $target"
        whole "$above"
        chain="$above${chain:+ $chain}"
        above=$(told "$above" parent)
        [ "$above" != null ] || above=''
    done
    if [ "$chain" != "$backup" ] && [ ! -x "$bin/pg_combinebackup" ]; then
        end 2 "$bin/pg_combinebackup is not there, which joins incremental backups"
    fi
}

whole() {
    [ "$(told "$1" format)" = 1 ] || fail_drill damaged-object "${target}base/$1/backup.json is none that this script can read"
    openable "$1"
    [ "$(told "$1" wal_segment_size)" = "$segment_bytes" ] ||
        fail_drill wrong-identifier "the WAL segments of $1 have $(told "$1" wal_segment_size) bytes, the server's $segment_bytes"
    grep -o '"name":"[a-z._]*","bytes":[0-9]*' "$temp/told.$1" | sed 's/"name":"//; s/","bytes":/;/' >"$temp/objects"
    grep -q "^$(packed "$1");" "$temp/objects" || fail_drill damaged-object "$1 names no $(packed "$1")"
    while read -r object_is; do
        grep -qxF -- "$object_is" "$temp/listed.$1" ||
            fail_drill damaged-object "${target}base/$1/${object_is%;*} is not there as it was stored"
    done <"$temp/objects"
}

# openable ID: ends where it is encrypted, and not for a key that is here.
openable() {
    case $(told "$1" encryption) in
        null) return ;;
        age) ;;
        *) end 2 "$1 is encrypted by what this script does not know: a newer walconsole restores it" ;;
    esac
    [ -n "$identity" ] || end 2 "$1 is encrypted, and its secret key is not on this host: restore it where the key is (docs/recovery.md)"
    command -v age >/dev/null || end 2 "age is not installed, which decrypts $1"
    [ -r "$identity" ] || end 2 "$identity, age's secret keys, cannot be read as user $os_user"
}

# packed ID: the name of its tar.
packed() { if [ "$(told "$1" encryption)" = null ]; then echo base.tar.zst; else echo base.tar.zst.age; fi; }

# sum_of KEY: of the first objects of all that is brought.
sum_of() {
    total=0
    for each in $chain; do
        one=$(grep -o "\"name\":\"$(packed "$each")\"[^}]*" "$temp/told.$each" | sed -n "s/.*\"$1\":\([0-9]\{1,16\}\).*/\1/p")
        total=$((total + ${one:-0}))
    done
    echo "$total"
}

note() { echo "$2" >"$temp/ended.$1"; }

# known_by FILE COMMAND...: the command, its number in the file.
known_by() {
    # shellcheck disable=SC2016  # that shell's
    sh -c 'echo $$ >"$0"; exec "$@"' "$@"
}

bring_all() {
    trap - EXIT HUP INT QUIT TERM
    target=$(target_of "$copy")
    mkdir -m 700 "$place/parts" || verdict cannot disk "$place cannot be written"
    for each in $chain; do
        bring "$each" "$place/parts/$each"
    done
}

# bring ID FOLDER: its files, while what flows is compared with the sum that was noted when it was stored.
bring() {
    mkdir -m 700 "$2" || verdict cannot disk "$place cannot be written"
    rm -f -- "$temp"/ended.* "$temp"/said.*
    # by a pipe, no named one: whichever part is killed, the others come to their ends
    {
        { stored "$1" 2>"$temp/said.rclone"; note rclone $?; } 3>&- |
            { known_by "$temp/tee" tee /dev/fd/3; note tee $?; } |
            { opened "$1" 2>"$temp/said.zstd"; note zstd $?; } 3>&- |
            { umask 027; tar -x -f - -C "$2" 2>"$temp/said.tar"; note tar $?; } 3>&- >/dev/null
    } 3>&1 | { hashed >"$temp/sum"; note sha256sum $?; }
    parts='sha256sum rclone tee zstd tar' object=${target}base/$1/$(packed "$1")
    case $object in *.age) parts="$parts age" ;; esac
    for part in $parts; do
        ended=$(cat "$temp/ended.$part" 2>/dev/null)
        if [ -z "$ended" ] || by_signal "$ended"; then
            verdict cannot killed "$part was killed while it brought $1 (is memory short?)"
        fi
    done
    ! grep -q 'No space left' "$temp"/said.* || verdict refused no-room "the disk of $folder is full"
    [ ! -s "$temp/said.age" ] || not_decrypted
    if [ "$(cat "$temp/ended.rclone")" != 0 ] && [ "$(cat "$temp/ended.zstd")$(cat "$temp/ended.tar")" = 00 ]; then
        not_brought
    fi
    read -r sum _ <"$temp/sum"
    [ -n "$sum" ] || verdict cannot sum "the sum of what was brought of $1 could not be noted in $temp_root (is its disk full?)"
    is=$(grep -o "\"name\":\"$(packed "$1")\"[^}]*" "$temp/told.$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p')
    if [ "$(cat "$temp/ended.zstd")" != 0 ]; then
        came_whole || not_brought
        verdict failed damaged-object "$object cannot be unpacked: $(plain "$(cat "$temp/said.zstd")")"
    fi
    [ "$(cat "$temp/ended.tar")" = 0 ] || verdict failed damaged-object "$object is no whole tar: $(plain "$(cat "$temp/said.tar")")"
    [ "$sum" = "$is" ] || verdict failed damaged-object "$object is not what was stored: its SHA-256 is another"
    # the cluster's group could read it (initdb -g), as who backs it up may need: PostgreSQL goes by the folder's mode
    case $(stat -c %a -- "$2/PG_VERSION" 2>/dev/null) in 640) chmod 750 -- "$2" ;; esac
}

# opened ID: what is stored, decrypted where it is encrypted, and unpacked.
opened() {
    case $(packed "$1") in
        *.age) { age -d -i "$identity" 2>"$temp/said.age"; note age $?; } | zstd -q -dc ;;
        *) zstd -q -dc ;;
    esac
}

stored() { rclone cat "${target}base/$1/$(packed "$1")" --config "$config" --log-level ERROR --s3-no-check-bucket \
    --retries 1 --low-level-retries 4 --contimeout @IDLE_TIMEOUT_S@s --timeout @IDLE_TIMEOUT_S@s; }

# came_whole: rclone was not what failed, but for having nobody to write to any more.
came_whole() {
    [ "$(cat "$temp/ended.rclone")" = 0 ] || grep -qiE 'broken pipe|SIGPIPE' "$temp/said.rclone" ||
        [ "$(cat "$temp/ended.rclone")" = 141 ]
}

not_brought() {
    verdict cannot unreachable "$object cannot be read: $(reason "$(cat "$temp/ended.rclone")" "$(cat "$temp/said.rclone")")"
}

# not_decrypted: by age's words: what is stored is damaged, or it is for another key, which says nothing of it.
not_decrypted() {
    came_whole || not_brought
    wrong=$(plain "$(cat "$temp/said.age")")
    case $wrong in
        *'payload chunk'* | *'bad header'* | *'read header'* | *'read intro'* | *EOF*)
            verdict failed damaged-object "$object cannot be decrypted: $wrong"
            ;;
    esac
    verdict cannot wrong-key "$object cannot be decrypted with $identity: $wrong"
}

# verify_all: every file of each is what its manifest says, before any of them is changed; then they are joined.
verify_all() {
    trap - EXIT HUP INT QUIT TERM
    for each in $chain; do
        "$bin/pg_verifybackup" -n -q "$place/parts/$each" >"$temp/said.verify" 2>&1 ||
            damaged $? "$each is not what its manifest says: $(plain "$(head -n 3 "$temp/said.verify")")"
    done
    if [ "$chain" = "$backup" ]; then
        mv -- "$place/parts/$backup" "$data" || verdict cannot disk "$place cannot be written"
    else
        # shellcheck disable=SC2086  # words
        (cd "$place/parts" && "$bin/pg_combinebackup" --manifest-checksums=SHA256 -o "$data" $chain) >"$temp/said.join" 2>&1
        joined=$?
        ! grep -q 'No space left' "$temp/said.join" || verdict refused no-room "the disk of $folder is full"
        [ "$joined" = 0 ] || damaged "$joined" "$chain cannot be joined: $(plain "$(tail -n 2 "$temp/said.join")")"
        "$bin/pg_verifybackup" -n -q "$data" >"$temp/said.verify" 2>&1 ||
            damaged $? "$chain joined is not what its manifest says: $(plain "$(head -n 3 "$temp/said.verify")")"
    fi
    rm -rf -- "$place/parts"
    "$bin/pg_controldata" "$data" >"$temp/control" 2>&1 ||
        damaged $? "its control file cannot be read: $(plain "$(cat "$temp/control")")"
    is=$(sed -n 's/^Database system identifier: *//p' "$temp/control")
    [ "$is" = "$identifier" ] || verdict failed wrong-identifier "$backup says that it is of this cluster ($identifier), and its \
control file is another's ($is)"
}

# find_programs VERSION: those of the backup's own version.
find_programs() {
    version=$1 major=$(($1 / 10000))
    for bin in "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin" $(printf '%s' "$PATH" | tr : ' '); do
        case $("$bin/postgres" --version 2>/dev/null) in *" $major"[!0-9]* | *" $major") break ;; esac
        bin=''
    done
    [ -n "$bin" ] || end 2 "PostgreSQL $major is not installed here: install all of it"
    for needed in pg_verifybackup pg_controldata; do
        [ -x "$bin/$needed" ] || end 2 "$bin/$needed is not there: install all of PostgreSQL $major"
    done
}
