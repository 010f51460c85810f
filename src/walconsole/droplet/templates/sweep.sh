# Folders of runs that were killed before they could remove them.
sweep() {
    for left in "$temp_root/$me".*; do
        owner=${left#"$temp_root/$me."}
        [ ! -d "$left" ] || kill -0 "${owner%%.*}" 2>/dev/null || rm -rf -- "$left" 2>/dev/null
    done
}
