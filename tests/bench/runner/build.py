# SPDX-License-Identifier: MIT
"""Installs what is missing, and builds every program optimized.

Programs land in tests/bench/build/PEER/, or $BENCH_BUILD/PEER/, and are built again when a source
is newer.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from . import peers

HERE = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BENCH_BUILD", HERE / "build"))
WARNINGS = ["-Wall", "-Wextra"]
C_FLAGS = ["-O2", "-DNDEBUG", "-D_GNU_SOURCE", "-pthread", "-Wl,--as-needed", *WARNINGS]
DEBIAN_CRATES = [
    'source.crates-io.replace-with="debian"',
    'source.debian.directory="/usr/share/cargo/registry"',
]


class Failure(Exception):
    """What a command or a measurement failed with: a line, and what it said."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, **options):
    """Runs a command to its end; what it said is shown if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    if done.returncode != 0:
        raise Failure(f"status {done.returncode}: {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


# --- packages ---


def installed_version(package):
    """The version of an installed Debian package, or None."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", package],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    status, _, version = done.stdout.partition(" ")
    return version if status == "installed" else None


def install_missing(wanted_peers):
    for tool in ("dpkg-query", "apt-get"):
        if not shutil.which(tool):
            sys.exit(f"bench: {tool} is needed: the peers are those of a Debian system")
    tools = [*peers.TOOLS.items(), *(pair for peer in wanted_peers for pair in peer.tools)]
    missing = [package for tool, package in tools if not shutil.which(tool)]
    packages = [package for peer in wanted_peers for package in peer.packages]
    missing += [package for package in packages if not installed_version(package)]
    missing = sorted(set(missing))
    if not missing:
        return
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    say(f"installing {' '.join(missing)}")
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    apt += ["-o", "Acquire::Retries=5", "-o", "DPkg::Lock::Timeout=600"]
    try:
        run([*apt, "update"])
        run([*apt, "install", "-y", "--no-install-recommends", *missing])
    except (Failure, FileNotFoundError) as failure:
        sys.exit(
            f"bench: what the peers need cannot be installed: {failure}\n"
            f"Install it as root, or leave peers out by --peers:\n"
            f"  apt-get install {' '.join(missing)}"
        )


# --- ours ---


def build_ours(size):
    """The library, unless $ASYNCLOOP_BUILD says that somebody else has built it.

    A sanitizer's cannot be loaded into our programs, and an unoptimized one is not to be compared.
    """
    if "ASYNCLOOP_BUILD" not in os.environ:
        say(f"building the library in {peers.OUR_BUILD}")
        if not (peers.OUR_BUILD / "build.ninja").exists():
            run(["meson", "setup", peers.OUR_BUILD, peers.ROOT])
        run(["meson", "compile", "-C", peers.OUR_BUILD, "asyncloop:shared_library"])
    if not (peers.OUR_LIBRARY / "libasyncloop.so").exists():
        raise Failure(
            f"there is no library in {peers.OUR_LIBRARY}: meson setup build; ninja -C build"
        )
    options = run(["meson", "introspect", "--buildoptions", peers.OUR_BUILD])
    values = {option["name"]: option["value"] for option in json.loads(options)}
    slow = size == "full" and values["optimization"] not in ("2", "3")
    if values["b_sanitize"] != "none" or slow:
        raise Failure(
            f"{peers.OUR_BUILD} is not what we measure: it has -Doptimization="
            f"{values['optimization']} -Db_sanitize={values['b_sanitize']}"
        )


# --- programs ---


def sources(peer):
    """The peer's programs: {name: source file}. A stem is a program's name, or NAME_VARIANT."""
    folder = HERE / peer.folder
    if peer.folder == "tokio":
        folder = folder / "src" / "bin"
    helpers = ("bench", "__init__")
    return {
        path.stem: path
        for path in sorted(folder.glob("*"))
        if path.suffix in (".c", ".cpp", ".go", ".rs", ".py") and path.stem not in helpers
    }


def is_older(target, folder):
    """Whether a built program is older than a source in its folder or common/, or our headers."""
    if not target.exists():
        return True
    folders = [folder, HERE / "common"]
    if folder.name == peers.OURS:
        folders.append(peers.ROOT / "include")
    newest = max(
        path.stat().st_mtime for where in folders for path in where.rglob("*") if path.is_file()
    )
    return target.stat().st_mtime < newest


def build_c(peer, source, target):
    if source.suffix == ".c":
        compiler = ["gcc", "-std=gnu11"]
    else:
        compiler = ["g++", "-std=c++20"]
    name = f'-DBENCH_PEER="{peer.name}"'
    run([*compiler, *C_FLAGS, name, source, "-o", f"{target}.new", *peer.libs.split()])
    os.replace(f"{target}.new", target)  # what was interrupted must not look built


def build_go(source, target):
    run(
        ["go", "build", "-o", f"{target}.new", source.parent / "bench.go", source],
        env={**os.environ, "GO111MODULE": "off", "GOFLAGS": ""},
    )
    os.replace(f"{target}.new", target)


def build_tokio(names):
    """All programs at once, offline from Debian's crates.

    Built on a copy, as cargo writes a lock file beside its manifest.
    """
    work, out = BUILD / "cargo", BUILD / "tokio"
    shutil.copytree(HERE / "tokio", work, dirs_exist_ok=True)
    config = [word for line in DEBIAN_CRATES for word in ("--config", line)]
    say("building tokio")
    run(
        ["cargo", "build", "--release", "--offline", "--target-dir", work / "target", *config],
        cwd=work,
    )
    for name in names:
        shutil.copy(work / "target" / "release" / name, out / f"{name}.new")
        os.replace(out / f"{name}.new", out / name)


def build(peer):
    """Builds what is out of date, and answers {program: command}."""
    if peer.folder == "python":
        return {
            name: ["/usr/bin/python3", "-m", f"python.{name}", peer.name] for name in sources(peer)
        }
    out = BUILD / peer.name
    out.mkdir(parents=True, exist_ok=True)
    old = {
        name: path
        for name, path in sources(peer).items()
        if is_older(out / name, HERE / peer.folder)
    }
    if old and peer.folder == "tokio":
        build_tokio(old)
        old = {}
    for name, path in old.items():
        say(f"building {peer.name}/{name}")
        if path.suffix == ".go":
            build_go(path, out / name)
        else:
            build_c(peer, path, out / name)
    return {name: [str(out / name)] for name in sources(peer)}


def build_load():
    """The load generator of echo, accept and memory."""
    return build(peers.Peer("load", "load", ("libssl-dev",), "-lssl -lcrypto"))["load"]


def make_certificate(folder):
    """A self-signed certificate for the TLS servers: (certificate, key)."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ]
    )
    return cert, key
