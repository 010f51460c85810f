"""Where a path leads for a server that has file systems of its own, as a shell finds it out."""

LEAD = r"""lead() {
led=$1
real=$seen$1
[ -n "$seen" ] || return 0
way=$1
led=
links=0
while [ -n "$way" ]; do
part=${way%%/*}
case $way in */*) way=${way#*/} ;; *) way= ;; esac
case $part in
'' | .) continue ;;
..) led=${led%/*} && continue ;;
esac
if [ "$links" -lt 40 ] && to=$(timeout -s KILL 5 readlink -- "$seen$led/$part"); then
links=$((links + 1))
case $to in /*) led= ;; esac
way=$to${way:+/$way}
else
led=$led/$part
fi
done
led=${led:-/}
real=$seen$led
}
"""
"""`lead PATH` sets `led`, where the path leads as the server sees it, and `real`, by which this shell comes
there.

`seen` is the server's first process's root (proc(5), /proc/PID/root), empty where it has this shell's file
systems. The kernel follows a symbolic link there that begins with a slash from this shell's root, not from
that one: a unit's (RootDirectory, BindPaths) may lead elsewhere. ELOOP is told after 40 links, as by Linux.
"""
