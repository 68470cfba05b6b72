#!/usr/bin/env bash
# Installs a pinned stack and this package into a virtual environment, and returns at once when they are there.
#
# Variables: STACK (onedl, the default, or upstream), PYTHON (the interpreter to use), VENV (where to install),
# WHEELS (a folder or page with built wheels, mmcv's above all, which are used in place of compiling), MAX_JOBS (compiler
# processes). pip's own PIP_FIND_LINKS and PIP_CERT are heeded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
STACK=${STACK:-onedl}
CHECK=requirements/check_environment.py
COMPILER_KIB=1258291 # 1.2 GiB: what one compiler process of mmcv takes at its peak, rounded up
DISK_GIB=8 # what torch with its CUDA libraries, the rest and uv's cache take, rounded up

fail() {
    echo "error: $*" >&2
    exit 1
}

case $STACK in
    onedl)
        VENV=${VENV:-.venv} versions='3.11 3.12 3.10' range='3.10 to 3.12' command='make install' next='; next: make demo'
        ;;
    upstream)
        VENV=${VENV:-.venv-upstream} versions='3.10' range='3.10' command='make test-upstream' next=''
        ;;
    *) fail "there is no STACK=$STACK; choose onedl or upstream" ;;
esac
example="$command PYTHON=/path/to/python${versions%% *}"

# Prints "3.11" for an interpreter that runs, nothing for one that does not (pyenv's shims may not).
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null </dev/null || true
}

has_uv() {
    command -v uv >/dev/null && uv --version >/dev/null 2>&1
}

# The interpreters of this machine, the best first: on PATH, then pyenv's, then uv's.
candidates() {
    local version
    for version in $versions; do
        echo "python$version"
    done
    printf '%s\n' python3 python
    for version in $versions; do
        printf '%s\n' "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".*/bin/python
        if has_uv; then
            uv python find --system "$version" 2>/dev/null || true
        fi
    done
}

find_python() {
    local candidate version
    if [ -n "${PYTHON:-}" ]; then
        version=$(version_of "$PYTHON")
        case " $versions " in
            *" ${version:-none} "*) python=$PYTHON ;;
            *)
                [ -n "$version" ] || fail "PYTHON=$PYTHON does not run; name a Python $range: $example"
                fail "PYTHON=$PYTHON is Python $version, and the pinned stack exists for $range only; name one of those: $example"
                ;;
        esac
        return
    fi
    while read -r candidate; do
        version=$(version_of "$candidate")
        case " $versions " in
            *" ${version:-none} "*)
                python=$candidate
                return
                ;;
        esac
    done < <(candidates)
    version=$(version_of python3)
    fail "no Python $range on PATH (python3 is ${version:-absent}), in pyenv or in uv; install one, or name it: $example"
}

check_machine() {
    local compiler=${CXX:-c++} free
    command -v "${compiler%% *}" >/dev/null ||
        fail "no C++ compiler ($compiler), and mmcv is compiled here; install one (Debian and Ubuntu: apt-get install g++) or name it with CXX=..."
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' ||
        fail "the headers of $python are missing (Python.h), and mmcv is compiled here; install them (Debian and Ubuntu: apt-get install python3-dev)"
    [ -e "$VENV/bin/python" ] && return
    free=$(df -Pk . | awk 'NR == 2 {print int($4 / 1048576)}')
    [ "$free" -ge $DISK_GIB ] ||
        fail "$free GiB are free where $PWD lies, and the installation needs $DISK_GIB; make room or clone to another disk"
}

make_environment() {
    if [ ! -e "$VENV/bin/python" ]; then
        if has_uv; then
            uv venv --quiet --python "$("$python" -c 'import sys; print(sys.executable)')" "$VENV"
        else
            "$python" -m venv "$VENV" ||
                fail "$python cannot make a virtual environment; install its venv module (Debian and Ubuntu: apt-get install python3-venv) or uv"
        fi
    fi
    if has_uv; then
        uv=uv
    else
        uv=$VENV/bin/uv
        [ -x "$uv" ] || "$VENV/bin/python" -m pip install --quiet uv ||
            fail "pip could not install uv into $VENV; see its message above, or install uv yourself and run $command again"
    fi
}

# What pip was told about certificates and wheels, uv has to be told as well.
if [ -n "${PIP_CERT:-}" ]; then
    export SSL_CERT_FILE=${SSL_CERT_FILE:-$PIP_CERT}
fi
# Pages and folders with wheels, in uv's way of writing several: commas.
links=${WHEELS:-}${UV_FIND_LINKS:+,$UV_FIND_LINKS}${PIP_FIND_LINKS:+,${PIP_FIND_LINKS// /,}}
if [ -n "$links" ]; then
    [ -z "${WHEELS:-}" ] || [[ $WHEELS == *://* ]] || [ -d "$WHEELS" ] || fail "WHEELS=$WHEELS is no folder; name the one that holds the wheels"
    export UV_FIND_LINKS=${links#,}
fi

pip_install() {
    "$uv" pip install --python "$VENV/bin/python" --constraints "requirements/$STACK/lock.txt" "$@" ||
        fail "uv could not install $*; see its message above, then run $command again: it goes on from here"
}

# How many compilers fit into the cores and into the free memory.
compiler_processes() {
    local cores fit
    cores=$(nproc)
    fit=$(awk -v each=$COMPILER_KIB '/^MemAvailable/ {print int($2 / each)}' /proc/meminfo 2>/dev/null || echo "$cores")
    echo $((fit < 1 ? 1 : fit < cores ? fit : cores))
}

# mmcv, from a built wheel where there is one; else it is compiled by way of compiler.sh.
install_mmcv() {
    local jobs=${MAX_JOBS:-$(compiler_processes)}
    rm -rf "$header"
    mkdir "$header"
    trap 'rm -rf "$header"' EXIT
    echo "mmcv: compiling its operators in $jobs processes unless a built wheel is found; about 2 minutes with two of them"
    MMCV_CXX=${CXX:-c++} MMCV_HEADER=$header CXX=$PWD/requirements/compiler.sh MMCV_WITH_OPS=1 MAX_JOBS=$jobs \
        pip_install --no-build-isolation --requirements "requirements/$STACK/mmcv.txt"
    case $(cat "$header/outcome" 2>/dev/null) in
        '') echo "mmcv: a built wheel was used" ;;
        header) echo "mmcv: compiled, torch's headers once for all files" ;;
        *) echo "mmcv: compiled, torch's headers again for every file, since $(<"$header/outcome")" ;;
    esac
    rm -rf "$header"
}

install_stack() {
    pip_install --requirements "requirements/$STACK/build.txt"
    # A CUDA build of torch beside a GPU makes mmcv ask for nvcc; without nvcc its CPU operators are what can be built.
    # The upstream stack's tests need no others, and its torch would ask for CUDA 12.1's own nvcc.
    if [ "$STACK" = upstream ] || { [ -z "${CUDA_HOME:-}" ] && ! command -v nvcc >/dev/null; }; then
        export CUDA_VISIBLE_DEVICES=''
    fi
    install_mmcv
    # Without compiled bytecode, which not every machine may write later, a process starts 15 seconds in place of 5.
    pip_install --compile-bytecode --requirements "requirements/$STACK/libraries.txt" \
        --requirements requirements/runtime.txt --requirements requirements/dev.txt
    pip_install --no-deps --no-build-isolation --editable .
}

if [ -e "$VENV/bin/python" ]; then
    # The existing environment's Python stays: packages compiled for another would be found and not load.
    if [ -n "${PYTHON:-}" ] && [ "$(version_of "$PYTHON")" != "$(version_of "$VENV/bin/python")" ]; then
        fail "$VENV is of Python $(version_of "$VENV/bin/python") and not of PYTHON=$PYTHON; leave PYTHON out, or delete $VENV first"
    fi
    "$VENV/bin/python" $CHECK families "$STACK" "$VENV"
    if "$VENV/bin/python" $CHECK complete "$STACK" "$VENV" >/dev/null 2>&1; then
        exit 0
    fi
    PYTHON=$VENV/bin/python
fi
find_python
check_machine
make_environment
header=$PWD/$VENV/mmcv-header
[[ $VENV != /* ]] || header=$VENV/mmcv-header
install_stack </dev/null
"$VENV/bin/python" $CHECK families "$STACK" "$VENV"
"$VENV/bin/python" $CHECK operators "$STACK" "$VENV"
"$VENV/bin/python" $CHECK complete "$STACK" "$VENV"
echo "installed into $VENV: $("$VENV/bin/python" --version), attn_plugins and the pinned $STACK stack$next"
