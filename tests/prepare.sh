# prepare.sh: sourced by the scripts that install what they need and build.
#
#   need PACKAGE...             installs by apt those that are missing, as root
#                               or with sudo; no apt-get when none is.
#                               COMMAND/PACKAGE: only where the command is missing,
#                               for what often comes from elsewhere than Debian
#   build DIR TARGETS OPTION... sets DIR up, or anew, with OPTIONs, and builds
#                               TARGETS (everything, if empty) there

# What the library and its tests are built with. A suite that needs more lists it
# in tests/SUITE/packages, one package a line. By dpkg-dev Meson knows in which
# folder Debian has its libraries.
base_packages='g++ dpkg-dev meson ninja-build pkg-config libevent-dev libboost-context-dev libssl-dev
libcmocka-dev valgrind'

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

need() {
    # Elsewhere than on Debian the build itself says what it misses.
    command -v dpkg-query >/dev/null || return 0
    missing=
    for package in "$@"; do
        case $package in
        */*)
            command -v "${package%/*}" >/dev/null && continue
            package=${package#*/}
            ;;
        esac
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "$0: there is neither root nor sudo. Have somebody who may run:" >&2
        echo "    apt-get install$missing" >&2
        return 1
    fi
    # A mirror may fail once, and another apt-get may be at work.
    patiently='-q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=600'
    as_root apt-get $patiently update
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get $patiently install -y --no-install-recommends $missing
}

build() {
    directory=$1
    targets=$2
    shift 2
    if [ ! -f "$directory/build.ninja" ]; then
        rm -rf "$directory"
        meson setup "$directory" "$@" || return 1
    elif [ $# -gt 0 ]; then
        meson configure "$directory" "$@" || return 1
    fi
    ninja -C "$directory" $targets
}
