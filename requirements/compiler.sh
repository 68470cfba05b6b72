#!/usr/bin/env bash
# A C++ compiler for mmcv's build, named there as $CXX: compiles torch's headers once in place of once a file.
#
# install.sh sets MMCV_CXX, the compiler that does the work, and MMCV_HEADER, an empty folder that install.sh removes afterwards.
# Nearly all of the work on each of mmcv's 80 files is torch's headers and debug information. A compiler takes a precompiled
# header under the flags alone that it was compiled with, so the first file's flags are the header's. Where that fails, every
# file is compiled by itself. `$MMCV_HEADER/outcome` says which it was: "header", or the reason why not.
set -uo pipefail
read -r -a cxx <<<"$MMCV_CXX"

# The flags without what names one file: `-MMD -MF x.o.d -c x.cpp -o x.o`.
flags=() compiles='' source='' skip=''
for argument in "$@"; do
    if [ -n "$skip" ]; then
        skip=''
        continue
    fi
    case $argument in
        -o | -MF) skip=1 ;;
        -c) compiles=1 ;;
        -MMD | -MD | -MP) ;;
        *.cpp | *.cc | *.cxx) source=$argument ;;
        *) flags+=("$argument") ;;
    esac
done
if [ -z "$compiles" ] || [ -z "$source" ]; then # a link, or a question about the compiler
    exec "${cxx[@]}" "$@"
fi

header=$MMCV_HEADER/torch.hpp outcome=$MMCV_HEADER/outcome errors=$MMCV_HEADER/errors

# Prints what outcome is to say.
precompile() {
    if ! { echo '#include <torch/types.h>' >"$header" &&
        "${cxx[@]}" "${flags[@]}" -g0 -x c++-header "$header" -o "$header.gch"; } 2>"$errors"; then
        echo "they could not be compiled by themselves: $(grep -m 1 -iE 'error|no space' "$errors")"
    elif ! "${cxx[@]}" "${flags[@]}" -g0 -Werror=invalid-pch -include "$header" -fsyntax-only -x c++ /dev/null 2>"$errors"; then
        echo "the compiler did not take them: $(head -n 1 "$errors")"
    else
        echo header
    fi
}

# One process of the build makes the header, the others wait for it.
if [ ! -e "$outcome" ]; then
    {
        if ! flock 9; then
            echo 'there is no flock by which one process waits for another' >"$outcome"
        elif [ ! -e "$outcome" ]; then
            precompile >"$outcome.new"
            [ "$(<"$outcome.new")" = header ] || rm -f "$header.gch"
            mv "$outcome.new" "$outcome"
        fi
    } 9>"$MMCV_HEADER/lock"
fi
if [ "$(<"$outcome")" = header ]; then
    "${cxx[@]}" "$@" -g0 -include "$header" 2>/dev/null && exit
fi
exec "${cxx[@]}" "$@" -g0
