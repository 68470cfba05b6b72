#!/usr/bin/env bash
# Installs the pinned stack and this package into .venv, and returns at once when they are there.
#
# Variables: PYTHON (the interpreter to use), VENV (where to install), MAX_JOBS (compiler processes).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
VENV=${VENV:-.venv}
CHECK=requirements/check_environment.py
DISK_GIB=8 # what torch with its CUDA libraries, the rest and uv's cache take, rounded up

fail() {
    echo "error: $*" >&2
    exit 1
}

# Prints "3.11" for an interpreter that runs, nothing for one that does not (pyenv's shims may not).
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null </dev/null || true
}

find_python() {
    local candidate version
    if [ -n "${PYTHON:-}" ]; then
        version=$(version_of "$PYTHON")
        case $version in
            3.10 | 3.11 | 3.12) python=$PYTHON ;;
            '') fail "PYTHON=$PYTHON does not run; name a Python 3.10 to 3.12: make install PYTHON=/path/to/python3.11" ;;
            *) fail "PYTHON=$PYTHON is Python $version, and the pinned stack exists for 3.10 to 3.12 only; name one of those: make install PYTHON=/path/to/python3.11" ;;
        esac
        return
    fi
    for candidate in python3.11 python3.12 python3.10 python3 python; do
        case $(version_of "$candidate") in
            3.10 | 3.11 | 3.12)
                python=$candidate
                return
                ;;
        esac
    done
    version=$(version_of python3)
    fail "no Python 3.10 to 3.12 on PATH (python3 is ${version:-absent}); install one, or name it: make install PYTHON=/path/to/python3.11"
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
        if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
            uv venv --quiet --python "$("$python" -c 'import sys; print(sys.executable)')" "$VENV"
        else
            "$python" -m venv "$VENV" ||
                fail "$python cannot make a virtual environment; install its venv module (Debian and Ubuntu: apt-get install python3-venv) or uv"
        fi
    fi
    if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
        uv=uv
    else
        uv=$VENV/bin/uv
        [ -x "$uv" ] || "$VENV/bin/python" -m pip install --quiet uv ||
            fail "pip could not install uv into $VENV; see its message above, or install uv yourself and run make install again"
    fi
}

# Where pip was told to trust a certificate of the house, uv has to as well.
if [ -n "${PIP_CERT:-}" ]; then
    export SSL_CERT_FILE=${SSL_CERT_FILE:-$PIP_CERT}
fi

pip_install() {
    "$uv" pip install --python "$VENV/bin/python" --constraints requirements/lock.txt "$@" ||
        fail "uv could not install $*; see its message above, then run make install again: it goes on from here"
}

install_stack() {
    pip_install --requirements requirements/build.txt
    # A CUDA build of torch beside a GPU makes mmcv ask for nvcc; without nvcc its CPU operators are what can be built.
    if [ -z "${CUDA_HOME:-}" ] && ! command -v nvcc >/dev/null; then
        export CUDA_VISIBLE_DEVICES=''
    fi
    echo "mmcv: compiling its operators unless a built wheel is cached, about 10 minutes on two cores"
    MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} pip_install --no-build-isolation --requirements requirements/mmcv.txt
    pip_install --requirements requirements/onedl.txt --requirements requirements/runtime.txt --requirements requirements/dev.txt
    pip_install --no-deps --no-build-isolation --editable .
}

if [ -e "$VENV/bin/python" ]; then
    # The existing environment's Python stays: packages compiled for another would be found and not load.
    if [ -n "${PYTHON:-}" ] && [ "$(version_of "$PYTHON")" != "$(version_of "$VENV/bin/python")" ]; then
        fail "$VENV is of Python $(version_of "$VENV/bin/python") and not of PYTHON=$PYTHON; leave PYTHON out, or delete $VENV first"
    fi
    "$VENV/bin/python" $CHECK families "$VENV"
    if "$VENV/bin/python" $CHECK complete "$VENV" >/dev/null 2>&1; then
        exit 0
    fi
    PYTHON=$VENV/bin/python
fi
find_python
check_machine
make_environment
install_stack </dev/null
"$VENV/bin/python" $CHECK families "$VENV"
"$VENV/bin/python" $CHECK operators "$VENV"
"$VENV/bin/python" $CHECK complete "$VENV"
echo "installed into $VENV: $("$VENV/bin/python" --version), attn_plugins and the pinned stack; next: make demo"
