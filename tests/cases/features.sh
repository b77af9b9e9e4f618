#!/usr/bin/env bash
# Features of a target that a program does not use leave no trace in it; --version and --help tell them, and a wrong one is refused.
. "$(dirname "$0")/../lib.sh"
cp "$GOLDEN/gpt.lam" "$GOLDEN/text.txt" .
for target in avx2+f16c+vnni avx512+vnni+bf16+vbmi2+amx neon+dot+i8mm+bf16; do
  lamella emit gpt.lam --target=$target --bench -o with
  lamella emit gpt.lam --target=${target%%+*} --bench -o without
  diff -rq with without || fail "$target leaves traces"
done
expect_contains "$(lamella emit gpt.lam --target=avx512+bf16+vnni -v -o with 2>&1)" "for avx512+vnni+bf16"
expect_status 2 lamella emit gpt.lam --target=avx2+bf16 -o none
expect_contains "$(cat stderr)" "the target avx2 has no feature 'bf16': it has f16c, vnni"
[[ ! -e none ]] || fail "a refused target left files"
for target in portable+fma avx2+f16c avx512+vnni avx512+amx neon+i8mm; do expect_contains "$(lamella emit --help)" "$target "; done
expect_contains "$(lamella --version)" "native is "
if runs_here avx512 && grep -qw avx512_vnni /proc/cpuinfo; then expect_contains "$(lamella --version)" "native is avx512+vnni"; fi
