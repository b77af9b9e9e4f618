#!/usr/bin/env bash
# slow
# A model as a library: its functions train as PyTorch did, without a command line. Each failure of memory and files,
# and each mistake of a caller, has a status and changes nothing. Two models run in two threads, under the sanitizers
# and valgrind. The examples build and run as a newcomer would do it.
. "$(dirname "$0")/../lib.sh"

strict=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wcast-qual -Werror)
LIBRARY=$LAMELLA_ROOT/tests/library EXAMPLES=$LAMELLA_ROOT/examples
lamella emit "$GOLDEN/gpt.lam" --target=portable -o gpt
model=(gpt/gpt.c gpt/lamella.c)

gcc "${strict[@]}" -D_POSIX_C_SOURCE=200809L -O2 -Igpt "$LIBRARY/losses.c" "${model[@]}" -o losses -lm || fail "losses"
./losses "$GOLDEN/text.txt" "$GOLDEN/gpt.safetensors" >got.txt || { cat got.txt; fail "training by library"; }
head -n 10 "$GOLDEN/gpt.losses" >expected.txt
near expected.txt got.txt 1e-4 || fail "losses of training by library"

# The command line goes on from what the library saves.
gcc -O1 gpt/*.c -o program -lm
./program train --resume --out half.safetensors --steps 7 --data "$GOLDEN/text.txt" >out.txt 2>err.txt || { cat err.txt; fail "a resume of what the library saved"; }

functions=(malloc calloc realloc fopen fwrite fflush fsync fclose rename mmap open)
for files in '' -DLAM_PLAIN_FILES; do
  gcc -O1 -Wall -Wextra -Werror $files -Igpt "$LIBRARY/faults.c" "${model[@]}" "${functions[@]/#/-Wl,--wrap=}" -o faults -lm || fail "faults $files"
  ./faults "$GOLDEN/gpt.safetensors" >out.txt || { cat out.txt; fail "faults $files"; }
  [[ $(cut -d' ' -f1 out.txt) -gt 150 ]] || fail "faults: $(cat out.txt)"
  gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all $files -Igpt "$LIBRARY/faults.c" "${model[@]}" "${functions[@]/#/-Wl,--wrap=}" -o faults -lm
  ./faults "$GOLDEN/gpt.safetensors" >out.txt 2>&1 || { tail -n 30 out.txt; fail "faults under ASan and UBSan $files"; }
done

# Links are followed, pipes are written into, rights stay, and files of other names are left alone.
gcc "${strict[@]}" -Igpt "$LIBRARY/save.c" "${model[@]}" -o save -lm
mkdir -p saved/folder
./save saved/plain || fail "saving into a folder"
touch saved/folder/private
chmod 640 saved/folder/private
ln -s folder/private saved/link
ln -s "$PWD/saved/link" saved/links
ln -s nowhere saved/dangling
ln -s circle saved/circle
echo mine >saved/plain.new
mkfifo saved/pipe
cat saved/pipe >saved/piped &
./save saved/links saved/dangling saved/plain saved/pipe || fail "saving into links and a pipe"
wait $!
for file in folder/private nowhere piped; do cmp saved/plain saved/$file || fail "$file"; done
[[ -L saved/link && -L saved/links && -L saved/dangling && -p saved/pipe ]] || fail "links and pipes are gone: $(ls -l saved)"
expect_equal "$(stat -c %a saved/folder/private)" 640 "rights of a file that was replaced"
expect_equal "$(cat saved/plain.new)" mine "a file of another name"
expect_equal "$(./save saved/circle || true)" "cannot write saved/circle: Too many levels of symbolic links"
expect_equal "$(./save saved/folder || true)" "cannot write saved/folder: Is a directory"
expect_equal "$(./save saved/none/file || true)" "cannot write saved/none/file: No such file or directory"
expect_equal "$(ls saved saved/folder | xargs)" \
  "saved: circle dangling folder link links nowhere pipe piped plain plain.new saved/folder: private"

gcc "${strict[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Igpt "$LIBRARY/misuse.c" "${model[@]}" -o misuse -lm || fail "misuse"
./misuse "$GOLDEN/gpt.safetensors" >out.txt 2>&1 || { tail -n 30 out.txt; fail "misuse"; }

# Such weights cannot become a part of a program either.
LC_ALL=C sed 's/"char"/"byte"/' cab.safetensors >other.safetensors
expect_status 1 lamella emit "$GOLDEN/gpt.lam" --only=step --weights=other.safetensors -o refused
expect_contains "$(cat stderr)" "ids mean something else"
[[ ! -e refused ]] || fail "something was written for weights of another tokenizer"

threads() {
  "$@" -pthread -Igpt "$LIBRARY/threads.c" "${model[@]}" -o threads -lm || fail "$* does not compile threads.c"
  TSAN_OPTIONS=halt_on_error=1 ./threads >out.txt 2>&1 || { tail -n 30 out.txt; fail "threads.c, $*: status $?"; }
}
threads gcc "${strict[@]}" -O2
threads gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
threads gcc -g -O1 -fsanitize=thread
if command -v valgrind >/dev/null; then
  gcc -g -O1 -pthread -Igpt "$LIBRARY/threads.c" "${model[@]}" -o threads -lm
  valgrind --quiet --error-exitcode=9 --leak-check=full ./threads >out.txt 2>&1 || { tail -n 30 out.txt; fail "valgrind"; }
else
  count_skip "no valgrind"
fi

# The core alone needs nothing but C's own functions.
gcc -std=c11 -O1 -DGPT_ALONE -c gpt/gpt.c -o alone.o
needed=$(nm -u alone.o | awk '{print $2}' | grep -vxE 'calloc|free|memset|memcpy|sqrtf?|expf?|logf?|powf?|cosf?|sinf?|tanhf?|floorf?|rintf?|fmaf?|fabsf?|_GLOBAL_OFFSET_TABLE_' || true)
expect_equal "$needed" "" "what the core alone needs"

# The model of a table without texts has no tokenizer, and so no functions of text.
cat >table.lam <<'END'
use "std/loss.lam"
use "std/optim.lam"
axis color = 3
axis class = 2
model table(c in color, x: real) -> logits[class] {
  param row[color, class] ~ normal(0.5)
  return row[color = c] * x
}
data rows { csv = "rows.csv"; c = category("color", color); x = number("x"); kind = category("kind", class) }
train table on rows { loss = cross_entropy(logits, kind, class); optimizer = sgd(lr = 0.1); batch = 2; epochs = 1 }
END
lamella emit table.lam --target=portable -o table
if grep -E 'table_(learn|encode|decode)\(' table/table.h; then fail "a table without texts has functions of text"; fi
printf 'color,x,kind\nred,1,a\ngreen,2,b\nblue,3,a\n' >rows.csv
gcc -O1 table/*.c -o table/program -lm
./table/program train --quiet >out.txt 2>err.txt || { cat err.txt; fail "training on a table without texts"; }

# The examples build and run.
lamella emit "$SPECS/shakespeare.lam" -o shakespeare
gcc -O2 -Ishakespeare "$EXAMPLES/c/shakespeare.c" shakespeare/shakespeare.c shakespeare/lamella.c -o example -lm
./example "$SPECS/data/tinyshakespeare.txt" 50 >out.txt || { cat out.txt; fail "examples/c"; }
expect_contains "$(cat out.txt)" "step 50: loss"
[[ $(tail -n +2 out.txt | wc -c) -gt 40 ]] || fail "examples/c wrote: $(cat out.txt)"
head -c 40 "$SPECS/data/tinyshakespeare.txt" >short.txt
expect_status 1 ./example short.txt
expect_equal "$(cat stderr)" "shakespeare: the text needs more than 64 characters"
lamella emit "$SPECS/mlp.lam" -o mlp
gcc -O2 -c mlp/mlp.c mlp/lamella.c
g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -Imlp "$EXAMPLES/cpp/rings.cpp" mlp.o lamella.o -o example -lm || fail "examples/cpp"
./example >out.txt || { cat out.txt; fail "examples/cpp"; }
if command -v python3 >/dev/null; then
  lamella emit "$SPECS/linear.lam" -o linear
  gcc -O2 -fPIC -shared linear/linear.c linear/lamella.c -o liblinear.so -lm
  python3 "$EXAMPLES/python/linear.py" ./liblinear.so >out.txt || { cat out.txt; fail "examples/python"; }
  expect_contains "$(cat out.txt)" "at 3: 7.0"
  expect_status 1 python3 "$EXAMPLES/python/linear.py"
  expect_equal "$(cat stderr)" "usage: python3 linear.py ./liblinear.so"
else
  count_skip "no python3"
fi
cmake --install "$LAMELLA_BUILD" --prefix "$WORK/installed" >out.txt || { cat out.txt; fail "cmake --install"; }
cmake -S installed/share/lamella/examples/cmake -B cmake -DCMAKE_PREFIX_PATH="$WORK/installed" >out.txt 2>&1 &&
  cmake --build cmake >>out.txt 2>&1 || { tail -n 20 out.txt; fail "examples/cmake"; }
expect_contains "$(cmake/rings)" "points are told right"
mkdir typed
cp -r "$EXAMPLES" "$SPECS" typed
for example in c/shakespeare.c cpp/rings.cpp python/linear.py; do
  sed -nE '/in this folder:/,/^[^ /]/s#^/*  *((lamella|cc|c\+\+) .*[^ */]).*#\1#p' "$EXAMPLES/$example" >commands
  [[ $(wc -l <commands) -gt 1 ]] || fail "$example does not say how it is built"
  (cd "typed/examples/${example%/*}" && PATH=$LAMELLA_BUILD:$PATH bash -e "$WORK/commands") || fail "the commands of $example"
done
for example in "$EXAMPLES"/*/*.*; do
  [[ $(wc -l <"$example") -le 60 ]] || fail "$example has more than 60 lines"
done
