#!/usr/bin/env bash
# slow
# clang finds nothing to warn of in the C sources that the build compiles, by the options that it compiles them with.
. "$(dirname "$0")/../lib.sh"
command -v clang-19 >/dev/null || skip "no clang-19"
commands=$LAMELLA_BUILD/compile_commands.json
[[ -e $commands ]] || skip "the build has no compile_commands.json"
grep -q -- "-Wall -Wextra -Werror" "$commands" || fail "the build does not ask for warnings"
# Each line is a file and its options; a source that several programs are made of is looked at once.
sed -n 's/^ *"command": "[^ ]* \(.*\) -o [^ ]*\.o -c \([^ ]*\.c\)",\{0,1\}$/\2 \1/p' "$commands" | sed 's/\\"/"/g; s/\\\\/\\/g' |
  sort -u -k1,1 >sources.txt
(($(wc -l <sources.txt) > 300)) || fail "only $(wc -l <sources.txt) sources in $commands"
cd "$LAMELLA_BUILD"
while read -r file options; do
  eval "clang-19 $options -fsyntax-only $file" 2>"$WORK/messages" ||
    { head -n 10 "$WORK/messages"; fail "$file"; }
done <"$WORK/sources.txt"
# A warning would be noticed.
printf 'static int unused(void) { return 0; }\n' >"$WORK/wrong.c"
! clang-19 -Wall -Wextra -Werror -fsyntax-only "$WORK/wrong.c" 2>/dev/null || fail "clang says nothing"
