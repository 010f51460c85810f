# Folders of runs that were killed before they could remove them. A process that took over the number, or that is dead
# and not waited for, has another command line or none.
sweep() {
    for left in "$temp_root/$me".*; do
        owner=${left#"$temp_root/$me."}
        [ ! -d "$left" ] || grep -qsF -- "$me" "/proc/${owner%%.*}/cmdline" || rm -rf -- "$left" 2>/dev/null
    done
}
