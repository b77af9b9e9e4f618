#!/usr/bin/env bash
# Output of the compiler drives no terminal: names of files, specs and arguments hold control characters and characters
# that turn the direction of text round, and none of them comes out on stdout or stderr.
. "$(dirname "$0")/../lib.sh"
evil=$'\e]0;taken\a\e[2J\xc2\x9b31m\x7f\xff\xe2\x80\xae'

# clean COMMAND...: runs the command, whatever its status, and fails if such a character was printed.
clean() {
  "$@" >printed 2>&1 </dev/null || true
  [[ -s printed ]] || fail "nothing printed: ${*@Q}"
  if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]|\xff' printed; then
    cat -v printed
    fail "control characters: ${*@Q}"
  fi
}
printf 'model m(x) -> y { return z }\n' >"$evil.lam"
printf 'model m(x) -> y { return x }\n' >"good$evil.lam"
printf 'use "%s.lam"\nmodel m(x) -> y { return x }\n' "$evil" >uses.lam
printf '# %s\nmodel m(x) -> y { return x }\n' "$evil" >comment.lam
printf 'model m(x) -> y { return x %s }\n' "$evil" >stray.lam
printf 'data d { text = "\e[31m" }\nmodel m(x) -> y { return x }\n' >string.lam
printf 'model m(x) -> y { return x } # \xe2\x80\xae\n' >bidi.lam
clean lamella check "$evil.lam"
clean lamella check "missing$evil.lam"
clean lamella check "good$evil.lam"
for spec in uses comment stray string bidi; do
  clean lamella check $spec.lam
  expect_status 1 lamella check $spec.lam
done
clean lamella show string.lam --stage=ast
clean lamella show "missing$evil" --stage=ast
clean lamella show "good$evil.lam" --stage="$evil"
clean lamella show "good$evil.lam" --stage=tensor --graph="$evil"
for option in -D "-D$evil=3" "-Da=$evil" "--passes=$evil" "--passes=fuse($evil = 3)" "--target=$evil" "--model=$evil" "--dump=$evil" "--$evil" "-O$evil" \
  "--dump-after=$evil"; do
  clean lamella check "good$evil.lam" "$option"
  clean lamella show "good$evil.lam" --stage=tensor "$option"
done
clean lamella "$evil"
clean lamella check one.lam "$evil"
clean lamella build "good$evil.lam" -o "missing$evil/folder" -v
clean lamella build "good$evil.lam" -o program --cc="$evil"
clean lamella emit "good$evil.lam" -o "missing$evil/folder"
clean lamella emit "good$evil.lam" -o "out$evil" -v
clean lamella compare "good$evil.lam"
clean lamella compare "good$evil.lam" --variant "$evil"
clean lamella compare "good$evil.lam" --time="$evil"
clean lamella run "good$evil.lam" -march="$evil" info
