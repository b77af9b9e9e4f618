#!/usr/bin/env bash
# The sources are formatted as .clang-format says; clang-format-19 -i FILE formats a file.
. "$(dirname "$0")/../lib.sh"
command -v clang-format-19 >/dev/null || skip "no clang-format-19"
cd "$LAMELLA_ROOT"
mapfile -t files < <(find bench codegen driver frontend ir passes runtime tests tools -path bench/peers/environment -prune -o \
  \( -name '*.c' -o -name '*.h' -o -name '*.cpp' \) -print | sort)
((${#files[@]} > 300)) || fail "only ${#files[@]} sources"
clang-format-19 --dry-run -Werror "${files[@]}" 2>"$WORK/messages" || { grep -m 20 error: "$WORK/messages"; fail "not formatted"; }
# A line of another width is noticed.
printf 'int  main(void) { return 0; }\n' >"$WORK/wrong.c"
cp .clang-format "$WORK"
! clang-format-19 --dry-run -Werror "$WORK/wrong.c" 2>/dev/null || fail "clang-format says nothing"
