# -- The old cluster's files, and the place of the recovered ones.

# serves FOLDER: a server works there. After a power cut, or a boot, the number in a pid file is nobody's, or another process's:
# a server stands in its data directory, and nobody else does.
serves() {
    process=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
    case $process in '' | *[!0-9]*) return 1 ;; esac
    lives "$process" && [ "$(readlink -- "/proc/$process/cwd")" = "$(readlink -f -- "$1")" ]
}

# unarchived: the paths of what the old server wrote and did not archive. Files that were recycled for later hold older WAL,
# and tell so.
unarchived() {
    for each in "$old"/pg_wal/*; do
        name=${each##*/}
        case $name in
            ????????.history) ;;
            *[!0-9A-F]*) continue ;;
            ????????????????????????)
                segment_bytes=$(stat -c %s -- "$each")
                starts=$(od -An -j8 -N8 -tu8 -- "$each" | tr -d ' ')
                [ "$starts" = "$(($(number_of "$name") * segment_bytes))" ] || continue
                ;;
            *) continue ;;
        esac
        [ -e "$old/pg_wal/archive_status/$name.done" ] || echo "$each"
    done
}

# keep_wal: of a server that does not run.
keep_wal() {
    if [ -z "$old" ] || [ ! -d "$old/pg_wal" ]; then end 0 "there is no ${old:-old cluster}/pg_wal: nothing could be kept"; fi
    ! serves "$old" || end 1 "$undone: the server in $old runs"
    [ -d "$place/saved" ] || mkdir -m 700 "$place/saved" || end 1 "$undone: $place cannot be written"
    stage=keeping
    must_note
    unarchived >"$temp/unarchived"
    must_note    # or a part of the list would be taken for all of it
    # it may come from a disk of its own, where it piled up while archiving failed
    takes=0
    while read -r each; do
        cmp -s -- "$each" "$place/saved/${each##*/}" || takes=$((takes + $(stat -c %s -- "$each")))
    done <"$temp/unarchived"
    takes=$((takes / 1048576)) free_mib=$(free_mib "$place")
    [ $((free_mib - takes)) -gt $((reserve_mib / 2)) ] ||
        refuse no-room "what $old/pg_wal has and the archive has not takes $takes MiB, and $place has $free_mib MiB free"
    kept=0
    while read -r each; do
        name=${each##*/}
        if ! cmp -s -- "$each" "$place/saved/$name"; then
            cp -p --reflink=auto -- "$each" "$place/saved/$name" || end 1 "$undone: $each cannot be kept in $place/saved"
        fi
        kept=$((kept + 1))
    done <"$temp/unarchived"
    keep
    end 0 "$kept WAL files that were not archived are kept in $place/saved"
}

# judge_tablespaces: each lies in this recovery's folder. One that the old cluster has and the backup has not was made
# after it: where its WAL says so the server makes it, at its old path, over the old cluster's files.
judge_tablespaces() {
    for each in "$data"/pg_tblspc/*; do
        [ -L "$each" ] || continue
        # resolved: a tablespace's name, by which its folder is called, may have a slash and dots
        case $(readlink -m -- "$each") in "$(readlink -f -- "$place")/tablespaces/"*) continue ;; esac
        end 2 "the tablespace ${each##*/} of $backup would be written to $(readlink -- "$each"), its old path"
    done
    [ -n "$old" ] || return 0
    for each in "$old"/pg_tblspc/*; do
        if [ -L "$each" ] && [ ! -e "$data/pg_tblspc/${each##*/}" ]; then
            end 2 "the tablespace at $(readlink -- "$each") was made after $backup: the replay would make it there, over the \
old cluster's files; take a base backup that has it"
        fi
    done
}

# move_tablespaces: beside the data directory, each under its name.
move_tablespaces() {
    beside=$at.tablespaces-$id
    if [ -d "$place/tablespaces" ] && ! rmdir -- "$place/tablespaces" 2>/dev/null; then
        mv -T -- "$place/tablespaces" "$beside" || end 1 "$undone: $place/tablespaces cannot be moved to $beside"
    fi
    for each in "$at"/pg_tblspc/*; do
        [ -L "$each" ] || continue
        goes=$(readlink -- "$each")
        case $goes in
            "$place/tablespaces/"*)
                goes=$beside/${goes#"$place/tablespaces/"}
                ln -sfn -- "$goes" "$each" || end 1 "$undone: $each cannot be made a link to $goes"
                ;;
        esac
    done
}

# take_place: two renames; whichever was done before is not done again.
take_place() {
    case $phase in promoted | taken-over) ;; *) end 2 "it is not promoted: the recovery is ${phase:-not begun}" ;; esac
    must_note
    aside=''
    case $into$# in
        0) at=$old aside=$old.before-$id ;;
        /*[12]) at=$into ;;
        [0-9]*/*[13]) at=${work%/*}/${into#*/} ;;
        *) end 2 "usage: $me take-place; into a new cluster: CONFIG NEW PORT; into a folder: CONFIG|-" ;;
    esac
    if [ -d "$data" ]; then
        if [ -n "$aside" ] && [ -e "$old" ]; then
            ! serves "$old" || end 1 "$undone: the server in $old runs"
            [ ! -e "$aside" ] || end 2 "$aside is there already"
            mv -T -- "$old" "$aside" || end 1 "$undone: $old cannot be moved aside"
        fi
        [ ! -e "$at" ] || end 2 "$at is there already"
        mv -T -- "$data" "$at" || end 1 "$undone: $data cannot be moved to $at"
    fi
    move_tablespaces
    readable=$(stat -c %a -- "$at")
    case $into in
        '') configure_from "$aside" ;;
        /*) configure_from "${1#-}" "${2:-}" ;;
        *) if [ -n "$elsewhere" ]; then configure_anew; else adopt "$@"; fi ;;
    esac
    # what is new in it is as readable as the rest: a backup by the group reads every file
    [ "$readable" != 750 ] || find "$at" -maxdepth 1 -user "$os_user" -type f -name '*.conf' -perm 600 -exec chmod 640 -- {} +
    tree=$at
    keep
    end 0 "what was recovered lies in $at${aside:+, the old files in $aside}"
}

# configure_from FOLDER [PORT]: the old cluster's configuration into the data directory; what the backup had of it is kept.
# Of a folder elsewhere, what says where things lie is said anew, at the end, where it wins. Without one it is PostgreSQL's own.
configure_from() {
    [ ! -e "$place/configured" ] || return 0
    for each in ${1:+"$1"/*.conf} ${1:+"$1"/*.d}; do
        name=${each##*/}
        case $name in '*.conf' | '*.d' | postgresql.auto.conf | start.conf | pg_ctl.conf) continue ;; esac
        take_over "$1" "$name"
    done
    [ -z "$1" ] || take_included "$1"
    if [ -z "$into" ]; then
        [ ! -f "$1/postmaster.opts" ] || cp -p -- "$1/postmaster.opts" "$at/postmaster.opts"
    else
        [ -z "$elsewhere" ] || configure_anew
        lie_in_folder "$1" "${2:-}"
    fi
    : >"$place/configured"
}

# take_over FOLDER NAME: of the old configuration. In its own place a link is one to the same as before.
take_over() {
    if [ -e "$at/$2" ] && [ ! -e "$place/$2.of-backup" ]; then mv -- "$at/$2" "$place/$2.of-backup"; fi
    rm -rf -- "${at:?}/$2"
    if [ -z "$into" ]; then cp -a -- "$1/$2" "$at/$2"; else own_copy "$1/$2" "$at/$2"; fi ||
        end 1 "$undone: $1/$2 cannot be copied"
}

# take_included FOLDER: what its files include by a path from there, under whatever name: without it no server starts. From
# another place a path that leads out of the folder is written in full.
take_included() {
    {
        sed -n "s/^[[:space:]]*include\(_dir\|_if_exists\)\{0,1\}[[:space:]=]\{1,\}['\"]\{0,1\}\([^'\"#]*[^'\"#[:space:]]\).*/\2/p" "$1"/*.conf
        grep -ohE '(^|[[:space:],])@"?[^",[:space:]]+' "$1"/*.conf | sed 's/.*@"\{0,1\}//'
    } 2>/dev/null | sort -u >"$temp/included"
    while IFS= read -r name; do
        part=${name%%/*}
        case $part in
            ..)
                [ -z "$into" ] || sed -i -e "/^[[:space:]]*include/s|\(['\"[:space:]=]\)\.\./|\1$1/../|" \
                    -e "s|\([[:space:],]@\"\{0,1\}\)\.\./|\1$1/../|g" "$at"/*.conf
                ;;
            '' | . | *.conf | *.d | base | global | pg_*) ;;    # as it is; taken over already; no configuration
            *) [ ! -e "$1/$part" ] || take_over "$1" "$part" ;;
        esac
    done <"$temp/included"
}

# own_copy FROM TO: of a configuration, with what its links lead to: into the copy settings are written, which would be the old
# cluster's otherwise, and from another place a link that is not absolute leads elsewhere. Debian's links to its log and its data
# are set anew by whoever made them.
own_copy() {
    cp -a -- "$1" "$2" || return
    find "$1" -type l ! -name log ! -name pgdata | while IFS= read -r link; do
        [ -e "$link" ] || continue
        leads=$(readlink -f -- "$link") && rm -f -- "$2${link#"$1"}" && cp -a -- "$leads" "$2${link#"$1"}" || exit 1
    done
}

# configure_anew: on another host, where the backup has no configuration: PostgreSQL's own, which listens to this host alone,
# with the limits of the old server, and a folder for what is added.
configure_anew() {
    [ ! -e "$place/anew" ] || return 0
    [ -e "$at/postgresql.conf" ] || cp -- "$("$bin/pg_config" --sharedir)/postgresql.conf.sample" "$at/postgresql.conf" ||
        end 1 "$undone: $at/postgresql.conf cannot be written"
    {
        echo "# walconsole, the recovery $id: the limits of the server that was recovered"
        "$bin/pg_controldata" "$at" | sed -n -e 's/_xacts setting/_transactions setting/' \
            -e 's/_per_xact setting/_per_transaction setting/' -e 's/^\(max_[a-z_]*\) setting: *\([0-9]*\)$/\1 = \2/p'
        echo "include_dir = 'conf.d'"
    } >>"$at/postgresql.conf"
    [ -e "$at/pg_hba.conf" ] || cat >"$at/pg_hba.conf" <<'HBA'
local all all peer
local replication all peer
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
HBA
    [ -e "$at/pg_ident.conf" ] || : >"$at/pg_ident.conf"
    case $into in /*) [ -d "$at/conf.d" ] || mkdir -m 700 -- "$at/conf.d" || end 1 "$undone: $at cannot be written" ;; esac
    : >"$place/anew"
}

# lie_in_folder FOLDER [PORT]: what names the old places names the new ones; arguments of the old server are taken over where they
# name none.
lie_in_folder() {
    given=''
    if [ -n "$1" ] && [ -f "$1/postmaster.opts" ]; then given=$(sed -n '1s/^[^ ]* "-D" "[^"]*"//p' "$1/postmaster.opts"); fi
    case $given in *_file=* | *data_directory=*) given='' ;; esac
    {
        echo "# walconsole, the recovery $id: what differs from the cluster that this was copied from"
        setting data_directory "$at"
        setting hba_file "$at/pg_hba.conf"
        setting ident_file "$at/pg_ident.conf"
        setting external_pid_file ''
        [ -z "${2:-}" ] || setting port "$2"
    } >>"$at/postgresql.conf"
    not_by_alter_system hba_file ident_file external_pid_file ${2:+port}
    [ -e "$at/pg_hba.conf" ] || echo 'local all all peer' >"$at/pg_hba.conf"
    [ -e "$at/pg_ident.conf" ] || : >"$at/pg_ident.conf"
    printf '%s/postgres "-D" "%s"%s\n' "$bin" "$at" "$given" >"$at/postmaster.opts"
}

# not_by_alter_system NAME...: what ALTER SYSTEM said of them is of the old cluster, and would win over what stands in its files.
not_by_alter_system() {
    [ -e "$at/postgresql.auto.conf" ] || return 0
    for each; do sed -i "/^[[:space:]]*'\{0,1\}$each'\{0,1\}[[:space:]=]/d" "$at/postgresql.auto.conf"; done
}

# adopt CONFIG NEW PORT: the old cluster's configuration, with what must differ at its end, where it wins.
adopt() {
    [ ! -e "$2/postgresql.conf" ] || return 0
    new=$place/configuration pids=$(sed -n "s|^external_pid_file *= *'\(.*\)/[^/]*'.*|\1|p" "$1/postgresql.conf" | tail -n 1)
    rm -rf -- "$new"
    own_copy "$1" "$new" || end 1 "$undone: $1 cannot be copied"
    if [ -L "$new/log" ]; then
        logs=$(readlink -- "$new/log")
        ln -sfn -- "${logs%/*}/postgresql-$(printf '%s' "$into" | tr / -).log" "$new/log"
    fi
    echo manual >"$new/start.conf"
    {
        echo "# walconsole, the recovery $id: what differs from the cluster that this was copied from"
        setting data_directory "$at"
        setting hba_file "$2/pg_hba.conf"
        setting ident_file "$2/pg_ident.conf"
        setting external_pid_file "${pids:-/var/run/postgresql}/$(printf '%s' "$into" | tr / -).pid"
        setting port "$3"
        setting cluster_name "$into"
        [ "${version:-0}" -ge 150000 ] ||
            setting stats_temp_directory "${pids:-/var/run/postgresql}/$(printf '%s' "$into" | tr / -).pg_stat_tmp"
    } >>"$new/postgresql.conf"
    not_by_alter_system data_directory hba_file ident_file external_pid_file port cluster_name stats_temp_directory
    mkdir -p -- "${2%/*}"
    mv -T -- "$new" "$2" || end 1 "$undone: $2 cannot be made"
}

# settle_tree: what the private phase needed is moved out of the tree, and what an earlier recovery left; kept beside it.
# With archiving off the history of the new timeline was not marked for it: without that mark no copy would ever have it.
settle_tree() {
    for each in standby.signal recovery.signal; do
        [ ! -e "$data/$each" ] || mv -f -- "$data/$each" "$place/$each.was"
    done
    if [ -e "$place/old.auto.conf" ]; then
        grep -vE "^[[:space:]]*'?(restore_command|archive_cleanup_command|recovery_[a-z_]*|primary_conninfo|primary_slot_name|promote_trigger_file)'?[[:space:]=]" \
            "$place/old.auto.conf" >"$data/postgresql.auto.conf"
    fi
    for each in "$data"/pg_wal/????????.history; do
        name=${each##*/}
        [ -e "$each" ] || continue
        [ -e "$data/pg_wal/archive_status/$name.done" ] || : >"$data/pg_wal/archive_status/$name.ready"
    done
}
