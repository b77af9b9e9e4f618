#!/usr/bin/env bash
# Everything that the sources of the language and the command line define stands in the documentation under the same
# name and is used by a test that compiles and runs it: functions, settings, columns and words by a spec of
# tests/values/ (as a tree, so that comments do not count), overrides by its commands, options and verbs by those and by
# the scripts of tests/cases/.
. "$(dirname "$0")/../lib.sh"
language=$LAMELLA_ROOT/docs/language.md
front=$LAMELLA_ROOT/frontend

# These are the trees of the specs of tests/values, without the heads of functions, and their commands.
for file in "$LAMELLA_ROOT"/tests/values/*.lam; do
  ways=$(sed -n 's/^#! ways: //p' "$file")
  [[ $ways == interpret ]] && continue
  lamella show "$file" --stage=ast >>trees
  sed -n 's/^#! \(exit 0: \)\{0,1\}//p' "$file" | grep -v '^exit \|^ways: \|^use ' >>commands || true
done
sed 's/^\(fn\|model\) .*//' trees >bodies

# These are the commands of the scripts, one a line, without comments.
for file in "$LAMELLA_ROOT"/tests/cases/*.sh; do
  [[ $file == */complete.sh ]] || sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' "$file"
done | grep -v '^ *#' | cat - commands >scripts

bad=0
# compare WHAT: fails unless the names in `documented` and `present` are the same.
compare() {
  sort -u -o documented documented
  sort -u -o present present
  [[ $(wc -l <present) -ge $2 ]] || { echo "$1: only $(wc -l <present) found in the sources: where are they now?"; bad=1; }
  comm -13 documented present | sed "s/^/$1: in the sources and not in the documentation: /" >missing
  comm -23 documented present | sed "s/^/$1: in the documentation and not in the sources: /" >>missing
  [[ ! -s missing ]] || { cat missing; bad=1; }
}
# used WHAT NAME EXPRESSION FILE: fails unless something in the file matches.
used() {
  grep -qE -- "$3" "$4" && return
  echo "$1: no test that is compiled uses $2"
  bad=1
}
# section TITLE: prints the lines of the manual under that heading. backquoted: prints what stands between backquotes,
# one a line.
section() { awk -v title="## $1" '/^## /{on = $0 == title} on' "$language"; }
backquoted() { grep -o '`[^`]*`' | tr -d '`'; }
# column N: prints that column of the rows of tables.
column() { sed 's/\\|/,/g' | awk -F '|' -v n="$1" '/^\|/ && !/^\|---/ {print $(n + 1)}'; }

# Built-in functions.
grep -o '{"[a-z_]*", lower_[a-z_]*, OP_' "$front/lower_builtin.c" | cut -d '"' -f 2 >present
sed -n 's/^ELEMENTWISE(\([a-z]*\),.*PROPERTY_CALLED.*/\1/p' "$LAMELLA_ROOT/ir/ops.def" >>present
section "Built-in functions" | column 1 | backquoted | sed 's/(.*//' | tr ' ' '\n' | grep . >documented
compare "built-in function" 25
while read -r name; do used "built-in function" "$name" "(^|[^a-z_.0-9])$name\(" bodies; done <present

# The manual has the functions and optimizers of the library with the same arguments, without the two that every
# optimizer has. Functions that only the library itself calls are no part of the manual.
sed -n 's/^\(fn\|optimizer\) \([a-z_0-9]*(.*)\)\( over [a-z, ]*\)\{0,1\}\( -> .*\)\{0,1\} {.*/\2\3/p' "$LAMELLA_ROOT"/specs/std/*.lam |
  sed 's/(p, g, /(/' >all
section "The standard library" | column 1 | backquoted >documented
grep -hv '^fn \|^optimizer \|^#' "$LAMELLA_ROOT"/specs/std/*.lam >library
grep '^fn' "$LAMELLA_ROOT"/specs/std/*.lam | grep -o '{ .*' >>library # those of one line
while read -r head; do
  name=${head%%(*}
  if grep -q "^$name(" documented || ! grep -qE "[^a-z_]$name\(" library; then printf '%s\n' "$head"; fi
done <all >present
compare "library" 30
while read -r head; do
  name=${head%%(*}
  used "library" "$name" "(^|[^a-z_.0-9])$name\(" bodies
  for argument in $(grep -o '[a-z_0-9]* = ' <<<"${head#*(}"); do
    [[ $argument == = ]] || used "library" "$name's argument $argument" "(^|[^a-z_.0-9])$name\(([^()]|\(([^()]|\([^()]*\))*\))*[ (]$argument = " bodies
  done
done <present

# settings BLOCK: prints the settings that the specs set in blocks of that kind, or that -D replaces.
settings() {
  awk -v kind="$1" '/^[a-z]/{on = $1 == kind} on && /^ +[a-z_.]+ = /{print $1}' trees
  grep -o -- "-D '\{0,1\}$1\.[a-z]*" commands | sed 's/.*\.//'
}
names_of() { tr '\n' ' ' <"$2" | grep -o "$1\[\] = {[^}]*}" | grep -o '"[a-z]*"' | tr -d '"'; }
for block in train generate; do
  names_of "${block}_names" "$front/lower_$block.c" >present
  [[ $block == train ]] && title=Training || title=Generation
  section $title | column 1 | backquoted | sed 's/ =.*//' | grep -v '^value' >documented # `loss = value` or `value, weight`
  compare "setting of $block" 6
  settings $block >set
  while read -r name; do used "setting of $block" "$name" "^$name$" set; done <present
done
settings data >set
for source in text csv synthetic; do names_of "${source}_settings" "$front/lower_data.c"; done >present
section Data | awk '/^\| setting/{on = 1} /^$/{on = 0} on' | grep -v '^| setting' | column 1 | backquoted | sed 's/ =.*//' >documented
compare "setting of data" 6
while read -r name; do used "setting of data" "$name" "^$name$" set; done <present

# Columns of text and of CSV.
tr '\n' ' ' <"$front/lower_data.c" | grep -o 'text_columns\[\] = {[^;]*;' | grep -o '{"[a-z]*"' | tr -d '{"' >present
section Data | awk '/^\| column \|/{on = 1} /^$/{on = 0} on' | column 1 | backquoted | grep -x '[a-z]*' >documented
compare "column of text" 4
awk '/^[a-z]/{on = $1 == "data" || $1 == "train"} on' trees >columns
while read -r name; do used "column of text" "$name" "[ (]$name([^a-z_]|$)" columns; done <present
tr '\n' ' ' <"$front/lower_data.c" | grep -o 'forms\[\] = {[^;]*;' | grep -o '{"[a-z]*"' | tr -d '{"' >present
section Data | awk '/^\| column function/{on = 1} /^$/{on = 0} on' | column 1 | backquoted | grep '(' | sed 's/(.*//' >documented
compare "column of CSV" 4
while read -r name; do used "column of CSV" "$name" " = $name\(\"" columns; done <present
for argument in start stop; do used "column of CSV" "$argument" " = (text|present)\(.*$argument = " columns; done
for constant in 0 true; do used "column of data" "$constant" "^ +[a-z_]+ = $constant$" columns; done

# Overrides: the settings that the manual lists are those that the compiler knows.
tr '\n' ' ' <"$front/lower_setting.c" | grep -o 'settings\[\] = {[^}]*}' | grep -o '"[a-z.]*"' | tr -d '"' | grep -v '^train\.\|^optimizer\.' >present
section "Overrides from the command line" | column 1 | backquoted | grep -x '[a-z]*\.[a-z]*\|batch' | grep -v '^train\.\|^optimizer\.\|^repeat\.' >documented
compare "override" 8
{ cat present; tr '\n' ' ' <"$front/lower_train.c" | grep -o 'train_names\[\] = {[^}]*}' | grep -o '"[a-z]*"' | tr -d '"' | sed 's/^/train./'; } >overrides
tr '\n' ' ' <"$front/lower_setting.c" | grep -o 'settings\[\] = {[^}]*}' | grep -o '"train\.[a-z]*"' | tr -d '"' | sort -u >present
grep '^train\.' overrides | sort -u | comm -3 - present >missing
[[ ! -s missing ]] || { sed 's/^/override: known to one of lower_train.c and lower_setting.c: /' missing; bad=1; }
grep -v '^train.loss$' overrides >present # -D cannot set the loss
while read -r name; do used "override" "$name" "-D ['\"]?$name=" commands; done <present
for name in 'repeat\.[a-z_]+' 'repeat\.[a-z_]+\.[0-9a-z_.]+' 'optimizer\.[a-z0-9]+'; do used "override" "$name" "-D ['\"]?$name=" commands; done

# Words and operators.
sed -n 's/^"\([a-z]*\)"  *WORD(.*/\1/p' "$front/spec.l" >present
words_of() { section "Lexical rules" | tr '\n' ' ' | grep -o -e "$1[^.]*\." | backquoted | tr ' ' '\n'; }
{ words_of "Reserved everywhere"; words_of "The words"; } >documented
compare word 25
{ cat present; words_of "- Names with a meaning" | sed 's/(.*//'; echo approximate; } | sort -u >words
[[ $(wc -l <words) -ge 34 ]] || { echo "only $(wc -l <words) words found"; bad=1; }
while read -r word; do used word "$word" "(^|[^a-z_.])$word([^a-z_]|$)" trees; done <words
grep -o '{"[^"a-z]*", OP_' "$front/lower_expression.c" | cut -d '"' -f 2 >operators
[[ $(wc -l <operators) -ge 12 ]] || { echo "operators: where are they now?"; bad=1; }
while read -r sign; do used operator "$sign" "[^ ] $(sed 's/[][*^+.]/\\&/g' <<<"$sign") [^ ]" bodies; done <operators
for view in '[a-z_]+ -> [a-z_]+' '[a-z_]+ \* [a-z_]+ -> [a-z_]+' '[a-z_]+ -> [a-z_]+ \* [a-z_]+' '[a-z_]+ = [0-9]+' \
  '[a-z_]+ = [0-9]+ \.\. [0-9]+ -> [a-z_]+' '[a-z_]+ = [0-9]+ \.\. -> [a-z_]+' '[a-z_]+ = \.\. [0-9]+ -> [a-z_]+' '[a-z_]+ = [a-z_]+'; do
  used view "$view" "[a-z0-9)]\[$view\]" bodies
done
for contraction in '@[a-z_]+' '@\([a-z_]+, [a-z_]+\)'; do used contraction "$contraction" " $contraction " bodies; done

# Passes: cases/pipelines trains without each and with its parameters; the manual lists those that can be left out.
sed -n 's/^PASS(\([a-z_]*\), *\(USUAL\|CHOSEN\|RULES\).*/\1/p' "$LAMELLA_ROOT/passes/passes.def" >present
section Pipelines | awk '/^\| pass \|/{on = 1} /^$/{on = 0} on' | column 1 | backquoted >documented
compare pass 7
grep -q 'stage=passes' "$LAMELLA_ROOT/tests/cases/pipelines.sh" || grep -q 'passes.def' "$LAMELLA_ROOT/tests/cases/pipelines.sh"
for item in '-[a-z]+' '[a-z]+\([a-z]+ = [0-9]+' '[a-z]+\([0-9]+\)' none default '[a-z]+'; do
  awk '/^pipeline/{on = 1} /^}/{on = 0} on' trees >pipelines
  used "item of a pipeline" "$item" "^ *($item|.*[,;] *$item)" pipelines
done

# The compiler's verbs and options, and those of programs.
# A test that only misuses a verb or an option would count as a use of it.
verbs=$(lamella --help | sed -n '/^verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p')
for verb in $verbs; do
  grep -q "lamella $verb" "$LAMELLA_ROOT/docs/design.md" || { echo "verb $verb: not in docs/design.md"; bad=1; }
  used verb "$verb" "lamella (\"[^\"]*\" |[^ ]+ )*$verb |lamella $verb " scripts
  lamella "$verb" --help | sed -n '/^options:/,/^$/p' | grep -o '^  \(-[a-zA-Z], \)\{0,1\}-\{1,2\}[a-zA-Z-]*' | sed 's/^  //' >options
  while read -r option; do
    long=${option##*, } short=${option%%, *}
    case $long in
      -O | -OLEVEL) spelling='-O[0-3]' ;;
      -march) spelling='-march=' ;;
      --*) spelling="$long([= ]|\$)" ;;
      *) spelling="$long( |\$)" ;;
    esac
    [[ $short == "$long" ]] || spelling="($spelling|$short ?[^ -])"
    echo "$long $spelling" >>compiler_options
  done <options
done
sort -u -o compiler_options compiler_options
while read -r long spelling; do used "option of the compiler" "$long" " ['\"]?$spelling" scripts; done <compiler_options
[[ $(wc -l <compiler_options) -ge 25 ]] || { echo "only $(wc -l <compiler_options) options of the compiler found"; bad=1; }

# Targets and their features: docs/vendoring.md has those that --help lists.
lamella build --help | sed -n '/^targets:/,/^features/s/^  \([a-z0-9]*\) .*/\1/p; s/^  \([a-z0-9]*+[a-z0-9]*\) .*/\1/p' >present
awk -F '|' '/^## /{on = $0 == "## Targets and features"} on && $2 ~ /`/ { gsub(/[ `]/, "", $2); print $2
  while (match($4, /`[a-z0-9]+`/)) { print $2 "+" substr($4, RSTART + 1, RLENGTH - 2); $4 = substr($4, RSTART + RLENGTH) } }' \
  "$LAMELLA_ROOT/docs/vendoring.md" >documented
compare target 12

for program in "$SPECS/shakespeare.lam" "$SPECS/translate.lam"; do
  lamella build "$program" --cc=gcc -O0 -o program >/dev/null
  for verb in $(./program --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    ./program "$verb" --help | sed -n "s/^  --\([a-z-]*\).*/$verb \1/p" >>program_options
  done
done
sort -u -o program_options program_options
[[ $(wc -l <program_options) -ge 40 ]] || { echo "only $(wc -l <program_options) options of programs found"; bad=1; }
for verb in $(cut -d ' ' -f 1 program_options | sort -u); do
  used "verb of programs" "$verb" "(^| )$verb( |\$)" scripts
done
while read -r verb option; do
  case $option in threads | trace | help) verb='[a-z]+' ;; esac # all verbs share the code of these
  used "option of programs" "$verb --$option" "(^| )$verb .*--$option([= )]|\$)" scripts
done <program_options
exit $bad
