#!/usr/bin/env bash
# slow
# The cache of `lamella run` is tried with many runs at once, damaged entries, a full disk, folders that cannot be
# written, no folder at all, and a limit. Each time the results must be right, and nothing else may be printed.
. "$(dirname "$0")/../lib.sh"

lamella run "$SPECS/linear.lam" --no-cache info >/dev/null 2>messages || { grep -q "built without LLVM" messages && skip "no LLVM"; cat messages; fail "run"; }
cp "$SPECS/linear.lam" "$SPECS/mlp.lam" .
unset LAMELLA_CACHE
export XDG_CACHE_HOME=$WORK/home
entries() { find "$XDG_CACHE_HOME/lamella" -type f; }

train() { lamella run "$@" train --overwrite --quiet --out "$WORK/out.$BASHPID.safetensors" 2>&1 || echo "exit status $?"; }
lines=$(lamella run linear.lam -O0 --no-cache train --overwrite --quiet --out first.safetensors 2>&1)
other=$(lamella run mlp.lam -O0 --no-cache -D train.epochs=1 train --overwrite --quiet --out first.safetensors 2>&1)
expect_contains "$lines" slope
[[ ! -e $XDG_CACHE_HOME ]] || fail "--no-cache made a cache"
check() { expect_equal "$(train linear.lam -O0)" "$lines" "$1"; }

# Sixteen runs of one spec, then of different ones, start at once on an empty cache.
many() {
  local i pids=()
  for i in $(seq 16); do "$@" "$i" >"many.$i" 2>&1 & pids+=($!); done
  for i in $(seq 16); do wait "${pids[$((i - 1))]}" || { cat "many.$i"; fail "run $i of 16"; }; done
}
same_spec() { train linear.lam -O0; }
many same_spec
for i in $(seq 16); do expect_equal "$(cat "many.$i")" "$lines" "run $i of 16 of one spec"; done
rm -rf "$XDG_CACHE_HOME"
mixed_specs() { case $(($1 % 4)) in 0) train mlp.lam -O0 -D train.epochs=1 ;; 1) train linear.lam ;; *) train linear.lam -O0 -D train.log=$(($1 % 4)) ;; esac; }
many mixed_specs
for i in $(seq 16); do
  if [[ $((i % 4)) == 0 ]]; then expect_equal "$(cat "many.$i")" "$other" "run $i"; else expect_equal "$(cat "many.$i")" "$lines" "run $i"; fi
done
[[ -z $(find "$XDG_CACHE_HOME/lamella" -name '*.*') ]] || fail "temporary files are left"

# The cache is used: the second run compiles nothing.
check "after many"
expect_contains "$(lamella run linear.lam -v info 2>&1 >/dev/null)" "compiled linear.lam" # info is another program than train
expect_contains "$(lamella run linear.lam -v info 2>&1 >/dev/null)" "found linear.lam in the cache"
expect_contains "$(lamella run linear.lam -v --no-cache info 2>&1 >/dev/null)" "compiled linear.lam"

# The cache is not used where passes are to print something, nor where the spec can be read only once.
for option in --time-passes --dump-after=simplify --verify; do
  lamella run linear.lam $option info >/dev/null 2>first.txt
  lamella run linear.lam $option info >/dev/null 2>second.txt
  [[ $option == --verify || -s second.txt ]] || fail "$option says nothing once cached"
  [[ $option == --time-passes ]] || expect_equal "$(cat second.txt)" "$(cat first.txt)" "$option once cached"
  expect_contains "$(lamella run linear.lam $option -v info 2>&1 >/dev/null)" "compiled linear.lam"
done
for i in 1 2; do expect_equal "$(lamella run <(cat linear.lam) -O0 train --overwrite --quiet --out w.safetensors 2>&1)" "$lines" "a pipe, $i"; done
lamella run /dev/stdin -O0 info <linear.lam >/dev/null # leaves a record of a regular file
for i in 1 2; do cat linear.lam | lamella run /dev/stdin -O0 info >/dev/null || fail "/dev/stdin, $i"; done

# The key depends on where headers are sought, and not on where the command runs.
lamella run linear.lam info >/dev/null
for name in CPATH C_INCLUDE_PATH; do
  expect_contains "$(export $name=$WORK; lamella run linear.lam -v info 2>&1 >/dev/null)" "compiled linear.lam"
done
before=$(entries | wc -l)
mkdir elsewhere
(cd elsewhere && cp ../linear.lam . && lamella run ./linear.lam info >/dev/null)
expect_equal "$(entries | wc -l)" $((before + 1)) "entries after a run elsewhere, a record of its own only,"

# A record follows the files that it was made of, and the options.
sed -i 's/lr = 0.01/lr = 0.011/' linear.lam
if cmp -s linear.lam "$SPECS/linear.lam"; then fail "the spec did not change"; fi
[[ $(train linear.lam -O0) != "$lines" ]] || fail "an edit of the spec was not noticed"
cp "$SPECS/linear.lam" .
check "after undoing it"

# Every entry is damaged in turn: a byte in the middle or at the end is changed, half or all of it is cut off, or it
# becomes garbage.
damage() {
  local file size
  for file in $(entries); do
    size=$(stat -c %s "$file")
    case $1 in
      middle) printf '\x5a\xa5' | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc status=none ;;
      end) printf '\x5a' | dd of="$file" bs=1 seek=$((size - 1)) conv=notrunc status=none ;;
      half) truncate -s $((size / 2)) "$file" ;;
      empty) : >"$file" ;;
      longer) echo more >>"$file" ;;
      garbage) head -c 5000 /dev/urandom >"$file" ;;
      folder) rm "$file" && mkdir "$file" ;;
      link) rm "$file" && ln -s /dev/null "$file" ;;
      closed) chmod 0 "$file" ;; # no damage for root
    esac
  done
}
for kind in middle end half empty longer garbage link closed folder; do
  damage $kind
  check "damage: $kind"
  check "after damage: $kind"
done
find "$XDG_CACHE_HOME/lamella" -mindepth 1 -type d -exec rmdir {} +

# There is no place for a cache where the path is not absolute, a file is in the way, the folder cannot be written or
# can be written by others, or there is no home.
XDG_CACHE_HOME=relative check "a relative XDG_CACHE_HOME"
[[ ! -e relative ]] || fail "a relative XDG_CACHE_HOME was used"
: >file
XDG_CACHE_HOME=$WORK/file check "a file in the way"
XDG_CACHE_HOME=/proc/nothing check "a folder that cannot be made"
(
  unset XDG_CACHE_HOME
  HOME=$WORK/file/home check "a missing home"
  unset HOME
  check "no home"
)
mkdir -p open/lamella
chmod 777 open/lamella
XDG_CACHE_HOME=$WORK/open check "a folder that others can write"
[[ -z $(ls open/lamella) ]] || fail "others could have planted code"
expect_contains "$(XDG_CACHE_HOME=$WORK/open lamella run linear.lam -v info 2>&1 >/dev/null)" "note: no cache"
mkdir -p closed/lamella
chmod 500 closed/lamella
if [[ $(id -u) == 0 ]]; then
  # Root may write anywhere, except where the file system itself refuses.
  if unshare -m true 2>/dev/null; then
    unshare -m bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && XDG_CACHE_HOME=$1 "$2" run linear.lam -O0 train --overwrite --quiet --out w.safetensors' \
      - "$WORK/closed" "$LAMELLA_BUILD/lamella" >out.txt 2>&1 || { cat out.txt; fail "a read-only cache"; }
    expect_equal "$(cat out.txt)" "$lines" "a read-only cache"
  else
    count_skip "no read-only mounts here"
  fi
else
  XDG_CACHE_HOME=$WORK/closed check "a read-only cache"
fi

# The disk has room for a part of what is to be kept, and then for nothing.
if [[ $(id -u) == 0 ]] && unshare -m true 2>/dev/null; then
  for size in 4k 64k 1m 6m; do
    mkdir -p full
    unshare -m bash -c 'mount -t tmpfs -o size=$3 none "$1" || exit 99
      for i in 1 2; do XDG_CACHE_HOME=$1 "$2" run linear.lam -O0 train --overwrite --quiet --out w.safetensors || exit 1; done
      [[ -z $(find "$1" -name "*.*" -type f) ]] || echo "temporary files are left"' - "$WORK/full" "$LAMELLA_BUILD/lamella" $size >out.txt 2>&1 || {
      [[ $? == 99 ]] && { count_skip "no tmpfs here"; break; }
      cat out.txt
      fail "a disk of $size"
    }
    expect_equal "$(cat out.txt)" "$lines
$lines" "a disk of $size"
  done
else
  count_skip "a full disk needs root"
fi

# At the limit the oldest entries go, and what killed commands left, but never files that are not the cache's, however
# old.
rm -rf "$XDG_CACHE_HOME"
check "an empty cache"
folder=$XDG_CACHE_HOME/lamella own=$(entries) limit=$(cat $(entries) | wc -c)
key=0123456789abcdef0123456789abcdef
foreign=(weights.safetensors notes.tmp.txt $key.safetensors $key.1.2.tmp.txt ${key}0 .$key "$key.c.bak")
left=($key.1234.0.tmp $key.c.99.1.tmp)
for file in "${foreign[@]}" "${left[@]}"; do head -c 100000 /dev/zero >"$folder/$file"; done
touch -d '3 days ago' "$folder"/* "$folder"/.??*
find "$folder" -size -1000k -exec touch -d '4 days ago' {} + # these are less than the tenth that is to be free
LAMELLA_CACHE_SIZE=$limit lamella run linear.lam -O1 info >/dev/null
for file in "${foreign[@]}"; do [[ -e $folder/$file ]] || fail "$file is not the cache's, and is gone"; rm "$folder/$file"; done
for file in "${left[@]}"; do [[ ! -e $folder/$file ]] || fail "$file was left by a killed command, and stays"; done
for file in $own; do [[ ! -e $file ]] || fail "$file is among the oldest, and stays"; done
total=$(cat $(entries) | wc -c)
[[ $total -gt 0 && $total -le $limit ]] || fail "$total bytes in a cache of $limit"
expect_contains "$(lamella run linear.lam -O1 -v info 2>&1 >/dev/null)" "found linear.lam in the cache"

# Sizes have units; a message says where one is wrong, and then nothing is kept.
rm -rf "$XDG_CACHE_HOME"
LAMELLA_CACHE_SIZE=1G check "a limit of 1G"
expect_contains "$(LAMELLA_CACHE_SIZE=1G lamella run linear.lam -O0 -v train --overwrite --quiet --out w.safetensors 2>&1)" "found linear.lam in the cache"
for size in 1X 1GG 0 -5 G much; do
  expect_contains "$(LAMELLA_CACHE_SIZE=$size lamella run linear.lam -O0 -v info 2>&1 >/dev/null)" "no cache: LAMELLA_CACHE_SIZE is '$size'"
done

# For debuggers the C text is kept under a name made of its hash, so that no later text takes its place; without that
# text the record does not count.
lamella build linear.lam -g -O0 -o first
sed 's/lr = 0.01/lr = 0.012/' "$SPECS/linear.lam" >linear.lam
lamella build linear.lam -g -O0 -o second
texts=("$folder"/*.c)
[[ ${#texts[@]} == 2 ]] || fail "${#texts[@]} texts of two programs"
touch -d '3 days ago' "${texts[@]}"
expect_contains "$(lamella build linear.lam -g -O0 -v -o second 2>&1)" "found linear.lam in the cache"
expect_equal "$(find "$folder" -name '*.c' -mtime +1 | wc -l)" 1 "texts that are still old"
rm "${texts[@]}"
lamella build linear.lam -g -O0 -o second
expect_equal "$(find "$folder" -name '*.c' | wc -l)" 1 "texts made again"
