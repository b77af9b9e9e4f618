#!/usr/bin/env bash
# Programs for avx512+amx: what they are made of, wherever they are made; and, where the machine has AMX, that they compute the same bytes by
# any number of threads, train near what others train, and end with a message where Linux does not grant them the tile registers.
. "$(dirname "$0")/../lib.sh"
cp "$GOLDEN"/{gpt.lam,gpt.safetensors,text.txt} .

lamella emit gpt.lam --target=avx512+amx --passes='mixed(bf16)' -o bf16
lamella emit gpt.lam --target=avx512+amx --passes='quantize(i8, activations = i8)' -o i8
lamella emit gpt.lam --target=avx512+amx -o float
for text in '_tile_dpbf16ps(0, 4, 6);' 'target("avx512f,avx512bw,avx512vl,avx512dq,fma,amx-tile,amx-bf16,amx-int8")' \
  'SYS_arch_prctl' '{7, 0, 3, 24, 0x60000, LACKS("amxtile")},' 'lam_tiles_bf16('; do
  grep -qF "$text" bf16/gpt.c || fail "no $text"
done
grep -q '_tile_dpbssd(0, 4, 6);' i8/gpt.c || fail "no tiles of bytes"
! grep -q -e _tile_zero -e SYS_arch_prctl -e amx float/gpt.c || fail "float32 uses no tiles, and has some"
expect_contains "$(lamella show gpt.lam --target=avx512+amx --passes='mixed(bf16)' --stage=clusters)" "dots of 2 bf16, AMX"
expect_contains "$(lamella show gpt.lam --target=avx512+amx --passes='mixed(bf16)' --stage=loops)" "multiply(&"

if ! runs_here avx512+amx; then
  count_skip "no AMX here"
  lamella build gpt.lam --target=avx512+amx --passes='mixed(bf16)' -o program 2>/dev/null || exit 0
  [[ $(uname -m) != x86_64 ]] || expect_status 1 ./program info
  exit 0
fi

# The same bytes by any number of threads; losses near those of dots by other instructions.
lamella build gpt.lam --target=avx512+amx --passes='mixed(bf16), parallel(work = 500)' -o program
for threads in 1 2 3; do
  ./program train --overwrite --quiet --threads $threads --log log.$threads --out out.$threads >/dev/null
  cmp out.1 out.$threads || fail "$threads threads train other weights"
done
lamella build gpt.lam --target=avx512 --passes='mixed(bf16)' -o other
./other train --overwrite --quiet --log log.other --out out.other >/dev/null
paste <(losses log.1) <(losses log.other) | while read -r got expected; do expect_near "$got" "$expected" 1e-3; done

# Linux refuses.
echo 'long __wrap_syscall(long number, ...) { return number < 0 ? 0 : -1; }' >none.c
gcc -O1 -w -Wl,--wrap=syscall -Ibf16 bf16/*.c none.c -o refused -lm
expect_status 1 ./refused info
expect_contains "$(cat stderr)" "error: this program uses registers of amxtile that the system does not grant it: --target=portable makes one for all"
# A library says so as well.
cat >host.c <<'END'
#include <stdio.h>
#include "gpt.h"
int main(void) {
  struct gpt *m = gpt_create();
  printf("%s; %s\n", m ? "made" : "not made", gpt_problem() ? gpt_problem() : "no problem");
  gpt_destroy(m);
  return 0;
}
END
gcc -O1 -w -Wl,--wrap=syscall -Ibf16 host.c bf16/gpt.c bf16/lamella.c none.c -o host -lm
expect_contains "$(./host)" "not made; this program uses registers of amxtile"
gcc -O1 -w -Ibf16 host.c bf16/gpt.c bf16/lamella.c -o host -lm
expect_equal "$(./host)" "made; no problem"
