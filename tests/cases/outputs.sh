#!/usr/bin/env bash
# slow
# Where output goes: a file is replaced with its mode, a link is followed, a device or a pipe is written into, and a
# message says what cannot be written before there is work to lose. One training at a time writes a file, and leaves
# nothing beside it.
. "$(dirname "$0")/../lib.sh"
spec=$SPECS/linear.lam
lamella build "$spec" -D train.steps=20 -o linear
./linear train --overwrite --quiet --out whole >messages
modes() { stat -c %a "$@" | tr '\n' ' '; }
clean() { expect_equal "$(find . -name '*.tmp' -o -name '*.lock' -o -name 'lamella-*')" "" "what is left after $1"; }

# A file keeps its mode, and a new one gets the mode that the umask gives.
for mode in 600 640 666 444; do
  [[ $mode != 444 || $(id -u) == 0 ]] || continue # root may write read-only files
  rm -rf out mode.*
  mkdir out
  for file in mode.train mode.predict mode.json mode.trace mode.o mode.log out/linear.c out/linear.h out/linear_main.c out/lamella.c out/lamella.h out/lamella_runtime.c out/lamella_runtime.h; do
    printf '/* Written by Lamella %s. */\nold\n' 0.0.1 >$file # `emit` replaces no other
    chmod $mode $file
  done
  ./linear train --overwrite --quiet --out mode.train --log mode.log >messages
  ./linear predict --weights whole --out mode.predict >messages
  ./linear bench --steps 1 --json mode.json >messages
  ./linear info --trace mode.trace >messages
  lamella build "$spec" -c -o mode.o
  lamella emit "$spec" -o out
  expect_equal "$(modes mode.* out/*)" "$(for i in {1..13}; do printf '%s ' $mode; done)" "modes of files of $mode"
  ! grep -qx old mode.* out/* || fail "a file was not replaced"
done
rm -rf out mode.*
(umask 027 && ./linear train --overwrite --quiet --out mode.train --log mode.log && ./linear bench --steps 1 --json mode.json &&
  lamella build "$spec" -c -o mode.o && lamella build "$spec" -o mode) >messages
expect_equal "$(modes mode mode.*)" "750 640 640 640 640 " "modes of new files"
for mode in 700 755 600; do
  chmod $mode mode
  lamella build "$spec" -o mode
  expect_equal "$(modes mode)" "$([[ $mode == 600 ]] && echo 700 || echo $mode) " "the mode of a program of $mode"
done
[[ $(id -u) != 0 ]] || {
  chown 1234:2345 mode.train
  chmod 640 mode.train
  ./linear train --overwrite --quiet --out mode.train >messages
  expect_equal "$(stat -c %u:%g:%a mode.train)" 1234:2345:640 "whose a file is"
}

# Links are followed, also links to links, relative links, and links to files that do not exist yet.
mkdir -p links/deep real
for kind in there absent; do
  rm -f real/target
  [[ $kind == absent ]] || : >real/target
  ln -sf ../../real/target links/deep/second
  ln -sf "$PWD/links/deep/second" links/first
  ./linear train --overwrite --quiet --out links/first >messages
  [[ -L links/first && -L links/deep/second && ! -L real/target ]] || fail "a link was replaced"
  cmp real/target whole
  rm -f real/target
  [[ $kind == absent ]] || : >real/target
  lamella build "$spec" -c -o links/first
  [[ -L links/first && -s real/target ]] || fail "a link was replaced by a build"
done
ln -s loop links/loop
expect_status 1 ./linear train --overwrite --out links/loop
expect_contains "$(cat stderr)" "cannot write links/loop: Too many levels of symbolic links"

# Pipes, devices and the standard output under its name are written into.
mkfifo pipe
cat pipe >piped &
./linear train --overwrite --quiet --out pipe >messages
wait $!
[[ -p pipe ]] || fail "a pipe was replaced"
cmp piped whole
cat pipe >piped &
./linear bench --steps 1 --json pipe >messages
wait $!
"$LAMELLA_BUILD/tests/tools/check_json" piped >messages || fail "JSON through a pipe"
cat pipe >piped &
./linear train --overwrite --quiet --out w.safetensors --log pipe >messages
wait $!
grep -q '"step":20,' piped || fail "a log through a pipe"
./linear predict --weights whole --out /proc/self/fd/1 >printed
head -c 2000 printed | grep -q '"y"' || fail "the standard output by its name"
./linear bench --steps 1 --json /proc/self/fd/1 >printed
grep -q '"kernels"' printed && grep -q "^step" printed || fail "a report between other output"
if [[ $(id -u) == 0 ]] && mknod null c 1 3 2>/dev/null && : 2>/dev/null >null; then
  ./linear train --overwrite --quiet --out null --log null >messages
  ./linear bench --steps 1 --json null --trace null >messages
  ./linear predict --weights whole --out null >messages
  lamella interpret "$spec" predict --weights whole --out null >messages
  [[ -c null ]] || fail "a device was replaced"
else
  count_skip "no devices of one's own"
fi
clean "devices and pipes"

# A program says what it cannot write before its first step, and the compiler before it writes anything.
mkdir folder closed
refused() { # REASON COMMAND...
  local reason=$1
  shift
  expect_status 1 "$@"
  grep -q "cannot write .*: $reason" stderr || { cat stderr; fail "not '$reason' from: $*"; }
  expect_equal "$(cat stdout)" "" "what was done before by: $*"
}
for option in --out --log; do
  refused "Is a directory" ./linear train $option .
  refused "Is a directory" ./linear train $option folder
  refused "Is a directory" ./linear train $option folder/
  refused "Is a directory" ./linear train $option absent/
  refused "No such file or directory" ./linear train $option ""
  refused "No such file or directory" ./linear train $option absent/w
  refused "Not a directory" ./linear train $option whole/w
done
for file in . "" folder absent/w whole/w; do
  refused "" ./linear predict --weights whole --out "$file"
  refused "" ./linear bench --json "$file"
  refused "" ./linear info --trace "$file"
  refused "" lamella build "$spec" -o "$file"
  refused "" lamella build "$spec" -S -o "$file"
  refused "" lamella compare "$spec" --html "$file"
done
expect_contains "$(./linear train --overwrite --out "" 2>&1)" 'cannot write "": No such file'
chmod 500 closed
: >readonly
chmod 400 readonly
if [[ $(id -u) != 0 ]]; then
  refused "Permission denied" ./linear train --overwrite --out closed/w
  refused "Permission denied" ./linear train --overwrite --out readonly
elif command -v setpriv >/dev/null && chmod 711 . && setpriv --reuid 65534 --clear-groups test -x linear; then
  mkdir -m 777 open
  as_nobody() { setpriv --reuid 65534 --clear-groups "$@"; }
  refused "Permission denied" as_nobody ./linear train --overwrite --out closed/w
  refused "Permission denied" as_nobody ./linear train --overwrite --out whole
  refused "Permission denied" as_nobody ./linear predict --weights whole --out closed/w
  as_nobody ./linear train --overwrite --quiet --out open/w >messages
else
  count_skip "no other user"
fi
clean "what was refused"

# One training writes a file; a second one is refused, under whatever name it gives the file.
long() { # returns when the training has taken steps, so that it has the lock and catches signals
  ./linear train --overwrite --quiet --steps 4000000000 --log long.json "$@" >messages 2>&1 & pid=$!
  for ((i = 0; i < 500; i++)); do [[ -s long.json ]] && break; sleep 0.02; done
}
end() { # SIGNAL STATUS
  local status=0
  kill -"$1" $pid
  wait $pid || status=$?
  rm -f long.json
  [[ $status == "$2" ]] || { cat messages; fail "exit status $status after SIG$1"; }
}
ln -s busy another
long --out busy
for name in busy ./busy "$PWD/busy" another; do
  expect_status 1 ./linear train --overwrite --out "$name"
  expect_contains "$(cat stderr)" "another training, process $pid, writes $name: --out FILE names another file"
done
expect_status 1 lamella interpret "$spec" train --overwrite --out busy
expect_contains "$(cat stderr)" "another training"
./linear train --overwrite --quiet --out free >stdout
end INT 130
[[ -s busy && -L another ]] || fail "the first training did not write its weights"
clean SIGINT
long --out busy
end TERM 130
clean SIGTERM
for signal in HUP PIPE; do
  long --out busy
  end $signal $((128 + $(kill -l $signal)))
  clean SIG$signal
done
long --out busy
end KILL 137
./linear train --overwrite --quiet --out busy >stdout # the lock of an ended process holds nobody back
cmp busy whole
clean "a lock that was left"

# Of several at once each is the only one or is refused, and the file is whole.
for round in 1 2 3; do
  for i in 1 2 3 4; do
    { status=0; ./linear train --overwrite --quiet --steps 200000 --seed $i --out race >out.$i 2>&1 || status=$?; echo $status >code.$i; } &
  done
  wait
  for i in 1 2 3 4; do
    [[ $(cat code.$i) == 0 ]] || grep -q "another training" out.$i || { cat out.$i; fail "neither the only one nor told so"; }
  done
  ./linear eval --weights race >messages
  clean "a race"
done

# Where the file system has no locks there is a note, and temporary files with names of their own still keep two
# trainings apart.
cat >nolock.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int fcntl(int file, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (command == F_SETLK || command == F_GETLK) return errno = ENOLCK, -1;
  return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl"))(file, command, argument);
}
int fcntl64(int file, int command, ...) __attribute__((alias("fcntl")));
END
if gcc -shared -fPIC -o nolock.so nolock.c -ldl 2>messages; then
  LD_PRELOAD=$PWD/nolock.so ./linear train --overwrite --quiet --out unlocked >messages 2>&1
  expect_contains "$(cat messages)" "unlocked cannot be locked (No locks available): another training that writes it would go unnoticed"
  cmp unlocked whole
  clean "no locks"
else
  count_skip "no gcc"
fi

# Links that somebody else puts in the place of temporary files are not followed.
echo precious >victim
for name in attacked.tmp attacked.lock; do ln -s victim $name; done
./linear train --overwrite --quiet --out attacked >messages 2>&1
expect_contains "$(cat messages)" "cannot be locked"
expect_equal "$(cat victim)" precious "a file that a link leads to"
cmp attacked whole
rm attacked.tmp attacked.lock

# The longest name leaves no room for a longer one beside it, and a folder cannot be emitted into.
name=$(printf 'w%.0s' $(seq 255))
./linear train --overwrite --quiet --out "$name" >messages 2>&1
cmp "$name" whole
mkdir -p emitted/linear.h
expect_status 1 lamella emit "$spec" -o emitted
expect_contains "$(cat stderr)" "cannot write emitted/linear.h: Is a directory"
expect_status 1 bash -c "trap '' XFSZ; ulimit -f 0; '$LAMELLA_BUILD/lamella' emit '$spec' -o fresh 2>&1 | cat >&2; exit \${PIPESTATUS[0]}"
[[ ! -e fresh ]] || fail "emit left its folder"
clean "the end"
