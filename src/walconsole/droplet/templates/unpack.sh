# unpack OBJECT: standard input as it was before it was compressed.
unpack() {
    case $1 in
        *.zst) zstd -q -dc ;;
        *.gz) gzip -q -dc ;;
        *) cat ;;
    esac
}
