#!/bin/sh
# Brings one WAL segment into the copies of the archive of @PROFILE@ that lack it, from the first place that holds it
# whole, with what the archive command uses. Nothing that is there is replaced. A record a line, for whoever runs it:
#   \001source NUMBER STATUS WORDS    0 it is the segment; 1 it is not, or cannot be read
#   \001target COPY STATUS WORDS      0 stored and read back; 5 it was there already, the same
#                                     1 cannot tell, or refused; 3 the name holds other content; 4 stored, and it differs
set -u
@COMMON@

@LOOK@

temp_root=@TEMP_ROOT@
name=@NAME@ bytes=@BYTES@
limit=$((60 + bytes / 1048576))    # seconds: at least 1 MiB/s
temp='' sum='' why=''

trap '[ -z "$temp" ] || rm -rf -- "$temp"' EXIT
trap 'exit 9' HUP INT QUIT TERM

@SWEEP@

told() { printf '\001%s %s %s %s\n' "$1" "$2" "$3" "$(printf '%s' "${4:-}" | tr -cd '\40-\176' | cut -c -600)"; }

# packed WAY, plain WAY: standard input compressed, and as it was before.
packed() {
    case $1 in
        zst) zstd -q -c ;;
        gz) gzip -q -n -c ;;
        lz4) lz4 -q -c ;;
        bz2) bzip2 -q -c ;;
        xz) xz -q -c ;;
        *) cat ;;
    esac
}
plain() {
    case $1 in
        zst) zstd -q -dc ;;
        gz) gzip -q -dc ;;
        lz4) lz4 -q -dc ;;
        bz2) bzip2 -q -dc ;;
        xz) xz -q -dc ;;
        *) cat ;;
    esac
}
way_of() { case $1 in *.zst) echo zst ;; *.gz) echo gz ;; *.lz4) echo lz4 ;; *.bz2) echo bz2 ;; *.xz) echo xz ;; esac; }

size_of() { echo $(($(wc -c <"$1"))); }

# is_segment FILE: whether it is what its name says, as far as its size and its first page tell.
is_segment() {
    size=$(size_of "$1")
    [ "$size" = "$bytes" ] || { why="it has $size bytes, not $bytes"; return 1; }
    page=$(head -c 40 -- "$1" | od -An -v -tx1 | tr -d ' \n')
    case $page in
        @PATTERNS@) ;;
        *) why="its first page is not this segment's: $page"; return 1 ;;
    esac
}

# taken NUMBER WAY: whether what lies in temp/got is the segment; it is in temp/plain then.
taken() {
    plain "$2" <"$temp/got" 2>/dev/null >"$temp/plain" || why="it is damaged, or cannot be unpacked"
    if [ -z "$why" ] && is_segment "$temp/plain"; then
        sum=$(sha256sum <"$temp/plain" | cut -d ' ' -f 1)
        [ -n "$sum" ] || fail 10 "no checksum can be made of $name"
        told source "$1" 0 "$sum"
        return
    fi
    told source "$1" 1 "$why"
    return 1
}

# from_folder NUMBER FOLDER FILE: pg_wal's files are renamed and written anew: what was read while it kept its name and
# its number is what the name says.
from_folder() {
    why=''
    before=$(stat -L -c %d:%i -- "$2/$3" 2>/dev/null) || { told source "$1" 1 'it is not there any more'; return 1; }
    cat -- "$2/$3" >"$temp/got" 2>/dev/null || why="it cannot be read as user $(id -un)"
    [ "$(stat -L -c %d:%i -- "$2/$3" 2>/dev/null)" = "$before" ] || why='it was recycled while it was read'
    taken "$1" "$(way_of "$3")"
}

# from_copy NUMBER TARGET OBJECT
from_copy() {
    why=''
    bounded "$limit" cat "$2$3" >"$temp/got" 2>"$temp/said" || why=$(reason $? "$(cat "$temp/said")")
    [ -s "$temp/got" ] || why=${why:-'it is not there any more, or empty'}
    taken "$1" "$(way_of "$3")"
}

# content_of TARGET OBJECT: SHA-256 of what it holds; nothing where it cannot be read to its end.
content_of() {
    bounded "$limit" cat "$1$2" >"$temp/back" 2>"$temp/said" || return
    plain "$(way_of "$2")" <"$temp/back" 2>/dev/null >"$temp/back.plain" || return
    sha256sum <"$temp/back.plain" | cut -d ' ' -f 1
}

# is_there COPY TARGET: told, where the name is taken in whatever form.
is_there() {
    look "$2" "$name" "$name.zst" "$name.gz" "$name.lz4" "$name.bz2" "$name.xz" || {
        told target "$1" 1 "$(reason $? "$answer")"
        return
    }
    [ -n "$answer" ] || return
    for line in $answer; do
        found=${line%%;*}
        if [ "$(content_of "$2" "$found")" != "$sum" ]; then
            told target "$1" 3 "$2$found is there, and its content is not the same, or cannot be read: not overwritten"
            return 0
        fi
    done
    told target "$1" 5 "$2$found"
}

# bring COPY TARGET SUFFIX
bring() {
    if is_there "$1" "$2"; then return; fi
    object=$name$3
    rm -rf -- "$temp/out"
    mkdir -- "$temp/out"
    packed "$(way_of "$object")" <"$temp/plain" 2>/dev/null >"$temp/out/$object" || {
        told target "$1" 1 "$object cannot be made in $temp_root (is it full? is what makes ${3:-it} installed?)"
        return
    }
    answer=$(printf '%s\n' "$object" | bounded "$limit" copy "$temp/out" "$2" --files-from - --no-traverse \
        --immutable --checksum --ignore-checksum --ignore-size 2>&1) || {
        told target "$1" 1 "$(reason $? "$answer")"
        return
    }
    back=$(content_of "$2" "$object")
    case $back in
        "$sum") told target "$1" 0 "$2$object" ;;
        '') told target "$1" 1 "$2$object was sent, and cannot be read back: $(reason 1 "$(cat "$temp/said")")" ;;
        *) told target "$1" 4 "$2$object was sent, and holds something else than was sent" ;;
    esac
}

[ -r "$config" ] || fail 11 "$config cannot be read as user $(id -un); it should belong to root:$(id -gn), mode 0640"
sweep
temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX") || fail 10 "no folder can be made in $temp_root"
@SOURCES@ || exit 0
@TARGETS@
exit 0
