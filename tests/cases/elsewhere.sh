#!/usr/bin/env bash
# long
# Emitted C compiles without a warning for other machines: for wasm32 with its vectors, for Windows, for a Cortex-M7. A
# forward-only GPT with its weights in flash runs on a Cortex-M7 without an operating system and gives the bits of the
# host.
. "$(dirname "$0")/../lib.sh"

strict=(-std=c11 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wcast-qual -Werror)
cp "$GOLDEN/gpt.lam" gpt.lam
cp "$SPECS/bert.lam" "$SPECS/linear.lam" "$SPECS/moe.lam" .
for name in gpt bert linear moe; do lamella emit $name.lam --target=portable -o $name; done

# compiles TITLE COMMAND...: compiles each model, and the library.
compiles() {
  local title=$1
  shift
  for name in gpt bert linear moe; do
    "$@" "${strict[@]}" -D"${name^^}_ALONE" -c $name/$name.c -o out.o || fail "$title: $name alone"
    "$@" "${strict[@]}" -c $name/$name.c -o out.o || fail "$title: $name"
    "$@" "${strict[@]}" -c $name/lamella.c -o out.o || fail "$title: the library of $name"
  done
}
have() { command -v "$1" >/dev/null || { count_skip "no $1"; return 1; }; }
if have clang-19 && [[ -e /usr/include/wasm32-wasi/stdio.h ]]; then
  compiles wasm32 clang-19 --target=wasm32-wasi -msimd128
else
  count_skip "no headers of wasi-libc"
fi
if have x86_64-w64-mingw32-gcc; then compiles Windows x86_64-w64-mingw32-gcc; fi
m7=(arm-none-eabi-gcc -mcpu=cortex-m7 -mfpu=fpv5-sp-d16 -mfloat-abi=hard -mthumb)
if have arm-none-eabi-gcc && have qemu-system-arm; then
  compiles 'Cortex-M7' "${m7[@]}"
  M7=$LAMELLA_ROOT/tests/library/cortex_m7
  # on_m7 FLASH RAM PIPELINE: the model with its weights in flash writes what it writes here, and takes no more memory.
  on_m7() {
    rm -rf small
    lamella emit gpt.lam --target=portable --only=step --passes="$3" --weights="$GOLDEN/gpt.safetensors" -o small
    local sources=(small/gpt.c small/gpt_weights.c "$M7/main.c") bytes flash data ram
    printf '#include "gpt.h"\n#include <stdio.h>\nint main(void) { return printf("%%zu", gpt_size()) < 0; }\n' >size.c
    gcc -DGPT_ALONE -Ismall small/gpt.c small/gpt_weights.c size.c -o size -lm
    bytes=$(./size)
    gcc "${strict[@]}" -DGPT_ALONE -DMEMORY_BYTES=$bytes -Ismall "${sources[@]}" -o host -lm
    ./host >host.txt || fail "on the host: $(cat host.txt)"
    "${m7[@]}" "${strict[@]}" -ffunction-sections -DGPT_ALONE -DMEMORY_BYTES=$bytes -Ismall "${sources[@]}" -nostartfiles \
      --specs=nano.specs --specs=nosys.specs -T "$M7/flash.ld" -Wl,--gc-sections -o m7.elf -lm || fail "linking for Cortex-M7"
    timeout 60 qemu-system-arm -M mps2-an500 -nographic -semihosting-config enable=on,target=native -kernel m7.elf >m7.txt 2>&1 ||
      { cat m7.txt; fail "on Cortex-M7"; }
    expect_equal "$(tr -d '\r' <m7.txt)" "$(cat host.txt)" "tokens and bits on Cortex-M7, $3"
    read -r flash data ram _ < <(arm-none-eabi-size m7.elf | tail -n 1)
    echo "Cortex-M7, $3: flash $((flash + data)) bytes, RAM $((data + ram)) bytes"
    [[ $((flash + data)) -lt $1 && $((data + ram)) -lt $2 ]] || fail "flash $((flash + data)), RAM $((data + ram)) bytes"
    agrees "$3" $((flash + data)) $((data + ram))
  }
  # The table of the manual has what is measured here, within 3%.
  agrees() {
    local told
    told=$(tr -d '`' <"$LAMELLA_ROOT/docs/vendoring.md" | grep -F "| $1 |" | tr -d ',' | grep -o '| [0-9]* | [0-9]* |$') || fail "docs/vendoring.md has no row $1"
    awk -F'[ |]+' -v flash="$2" -v ram="$3" 'function far(a, b) { return a > 1.03 * b || b > 1.03 * a } { exit far($2, flash) || far($3, ram) }' <<<"$told" ||
      fail "docs/vendoring.md has $told of $1, where flash is $2 and RAM $3"
  }
  on_m7 160000 60000 default
  # Steps and scales lie in flash in place of the parameters, and are those of a program that reads the weights from a file.
  on_m7 60000 60000 'quantize(i8)'
  on_m7 60000 60000 'quantize(i8, activations = i8)'
  on_m7 50000 60000 'quantize(i4)'
fi
