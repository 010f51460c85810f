#!/bin/bash
# image.sh FOLDER: the image of a droplet in FOLDER: Debian 13 with systemd, PostgreSQL 17 (two clusters), rclone, OpenSSH.
#
# Makes disk.raw, vmlinuz, initrd, an SSH key, the packages' versions, `seconds` with how long that took, and `made`
# last of all, which holds what this script was; one that was made by this very script stays. Nothing is started
# while it is built. Needs root, and debootstrap with a Debian mirror: the one that this machine's apt uses where it
# is Debian's.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "the image of the droplet is built by root (debootstrap, chroot): sudo make test-vm" >&2; exit 1; }
folder=$1
root=$folder/root
suite=trixie

mirror() {
    { cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true; } |
        grep -E '^(URIs:|deb) ' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' '
}

inside() { DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"; }

# unmount: also after a build that was ended, whose folder would else not be deleted without harm.
unmount() { ! mountpoint -q "$root/proc" || umount "$root/proc"; }

install_packages() {
    local from
    from=$(mirror)
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "${from:-http://deb.debian.org/debian}"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    # how this machine's apt reaches the mirror
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    cp /etc/apt/apt.conf.d/99* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
    printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/image"
    # what a virtual machine boots from, and no more: an emulated processor unpacks it and looks through it at each boot
    mkdir -p "$root/etc/initramfs-tools/conf.d"
    echo MODULES=list >"$root/etc/initramfs-tools/conf.d/droplet"
    printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
    mount -t proc proc "$root/proc"
    inside apt-get update -q
    inside apt-get install -qy --no-install-recommends linux-image-cloud-amd64 initramfs-tools systemd-sysv dbus udev \
        libpam-systemd openssh-server postgresql rclone sudo cron zstd logrotate iproute2 procps less curl openssl \
        apparmor ufw needrestart age
    inside pg_createcluster 17 second >/dev/null
    unmount
}

configure() {
    inside useradd -m -s /bin/bash -g operator operator
    echo 'operator ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/operator"
    chmod 440 "$root/etc/sudoers.d/operator"
    local home
    for home in root home/operator; do
        install -d -m 700 "$root/$home/.ssh"
        cp "$folder/key.pub" "$root/$home/.ssh/authorized_keys"
    done
    inside chown -R operator:operator /home/operator/.ssh
    # a user's systemd is started once, not at every login: an emulated processor takes seconds for it
    mkdir -p "$root/var/lib/systemd/linger"
    touch "$root/var/lib/systemd/linger/root" "$root/var/lib/systemd/linger/operator"
    echo droplet >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 droplet\n' >"$root/etc/hosts"
    printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/10-dhcp.network"
    echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
    echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
    inside systemctl enable systemd-networkd ssh cron postgresql >/dev/null 2>&1
    inside systemctl disable systemd-networkd-wait-online apt-daily.timer apt-daily-upgrade.timer >/dev/null 2>&1 || true
    rm -f "$root/usr/sbin/policy-rc.d" "$root"/etc/apt/apt.conf.d/99* "$root/etc/dpkg/dpkg.cfg.d/image"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    # profiles for a hundred programs that are not there: an emulated processor compiles them for a quarter of a minute
    find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
    # each reload of systemd runs all generators: ten that have nothing to do here took half of it
    mkdir -p "$root/etc/systemd/system-generators"
    local each
    for each in "$root"/usr/lib/systemd/system-generators/systemd-*; do
        each=${each##*/}
        [ "$each" = systemd-fstab-generator ] || ln -s /dev/null "$root/etc/systemd/system-generators/$each"
    done
    # with an empty one the first boot would be a first boot: systemd enables and disables every unit anew
    rm -f "$root/etc/machine-id"
    systemd_id >"$root/etc/machine-id"
}

systemd_id() { tr -d - </proc/sys/kernel/random/uuid; }

make_disk() {
    cp "$root"/boot/vmlinuz-* "$folder/vmlinuz"
    cp "$root"/boot/initrd.img-* "$folder/initrd"
    rm -f "$folder/disk.raw"
    truncate -s 4G "$folder/disk.raw"
    mke2fs -q -t ext4 -d "$root" "$folder/disk.raw"
}

is_made() { [ -e "$folder/made" ] && [ "$(cat "$folder/made")" = "$this" ]; }

this=$(sha256sum <"$0" | cut -d ' ' -f 1)
mkdir -p "$folder"
chmod 700 "$folder"
exec 9>"$folder/lock"    # whoever comes meanwhile waits, and finds it made
flock 9
! is_made || exit 0
trap unmount EXIT
unmount
rm -rf "$root" "$folder/made"
[ -f "$folder/key" ] || ssh-keygen -q -t ed25519 -N '' -C droplet -f "$folder/key"
install_packages
configure
make_disk
inside dpkg-query -W >"$folder/packages"
rm -rf "$root"
rm -f "$folder/accelerator"
echo $SECONDS >"$folder/seconds"
echo "$this" >"$folder/made"
