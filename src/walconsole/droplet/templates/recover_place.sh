# -- The old cluster's files, and the place of the recovered ones.

# keep_wal: of a server that does not run. Files that were recycled for later hold older WAL, and tell so.
keep_wal() {
    [ -d "$old/pg_wal" ] || end 0 "there is no $old/pg_wal: nothing could be kept"
    [ ! -e "$old/postmaster.pid" ] || ! lives "$(head -n 1 "$old/postmaster.pid")" || end 1 "$undone: the server in $old runs"
    [ -d "$place/saved" ] || mkdir -m 700 "$place/saved" || end 1 "$undone: $place cannot be written"
    kept=0
    stage=keeping
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
        [ ! -e "$old/pg_wal/archive_status/$name.done" ] || continue
        if ! cmp -s -- "$each" "$place/saved/$name"; then
            cp -p --reflink=auto -- "$each" "$place/saved/$name" || end 1 "$undone: $each cannot be kept in $place/saved"
        fi
        kept=$((kept + 1))
    done
    keep
    end 0 "$kept WAL files that were not archived are kept in $place/saved"
}

# take_place: two renames; whichever was done before is not done again.
take_place() {
    case $phase in promoted | taken-over) ;; *) end 2 "it is not promoted: the recovery is ${phase:-not begun}" ;; esac
    if [ -n "$into" ]; then
        [ $# = 3 ] || end 2 "usage: $me take-place CONFIG NEW PORT"
        at=${old%/*}/${into#*/}
    else
        at=$old aside=$old.before-$id
    fi
    if [ -d "$data" ]; then
        if [ -z "$into" ] && [ -e "$old" ]; then
            [ ! -e "$old/postmaster.pid" ] || ! lives "$(head -n 1 "$old/postmaster.pid")" ||
                end 1 "$undone: the server in $old runs"
            [ ! -e "$aside" ] || end 2 "$aside is there already"
            mv -T -- "$old" "$aside" || end 1 "$undone: $old cannot be moved aside"
        fi
        [ ! -e "$at" ] || end 2 "$at is there already"
        mv -T -- "$data" "$at" || end 1 "$undone: $data cannot be moved to $at"
    fi
    if [ -n "$into" ]; then
        adopt "$@"
    else
        for each in postgresql.conf pg_hba.conf pg_ident.conf; do
            if [ ! -f "$aside/$each" ] || [ -e "$place/$each.of-backup" ]; then continue; fi
            if [ -e "$at/$each" ]; then mv -- "$at/$each" "$place/$each.of-backup"; fi
            cp -p -- "$aside/$each" "$at/$each" || end 1 "$undone: $aside/$each cannot be copied"
        done
    fi
    tree=$at
    keep
    end 0 "what was recovered lies in $at${aside:+, the old files in $aside}"
}

# adopt CONFIG NEW PORT: the old cluster's configuration, with what must differ at its end, where it wins.
adopt() {
    [ ! -e "$2/postgresql.conf" ] || return 0
    new=$place/configuration pids=$(sed -n "s|^external_pid_file *= *'\(.*\)/[^/]*'.*|\1|p" "$1/postgresql.conf" | tail -n 1)
    rm -rf -- "$new"
    cp -a -- "$1" "$new" || end 1 "$undone: $1 cannot be copied"
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
    sed -i "/^[[:space:]]*'\{0,1\}port'\{0,1\}[[:space:]=]/d" "$at/postgresql.auto.conf"
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
