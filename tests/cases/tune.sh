#!/usr/bin/env bash
# slow
# The usual tile of contractions suits a processor: this one for the target native, none for a named target, and the one
# that --tune or -march names. Results are the same.
. "$(dirname "$0")/../lib.sh"
spec=$SPECS/shakespeare.lam
source_of() { lamella show "$spec" --stage=c "$@"; }
tile() { lamella show "$spec" --stage=passes "$@" | sed -n 's/^target *//p'; }

usual=$(source_of --target=avx512)
expect_equal "$(source_of --target=avx512 --tune=znver4)" "$usual" "avx512 for znver4"
expect_contains "$usual" "tile_12x32"
wide=$(source_of --target=avx512 --tune=icelake-server)
expect_contains "$wide" "tile_8x48"
[[ $wide != *tile_12x32* ]] || fail "a tile that is not for icelake-server"
expect_equal "$(source_of --target=avx512 --tune=sapphirerapids)" "$wide" "sapphirerapids"
expect_equal "$(source_of --target=avx2 --tune=icelake-server)" "$(source_of --target=avx2)" "avx2, which has one tile"
expect_equal "$(source_of --target=native)" "$(source_of --target=native --tune=native)" "native"
# A tile that the pipeline names takes precedence over that of the processor.
expect_equal "$(source_of --target=avx512 --tune=icelake-server --passes='tile(rows = 4, vectors = 2)')" \
  "$(source_of --target=avx512 --passes='tile(rows = 4, vectors = 2)')" "a tile that the pipeline names"

expect_equal "$(tile --target=avx512)" "avx512: tiles of 12 rows and 2 vectors (14 loads for 24 multiply-adds), as is usual for the target"
expect_equal "$(tile --target=avx512 --tune=icelake-server)" \
  "avx512: tiles of 8 rows and 3 vectors (11 loads for 24 multiply-adds), for icelake-server, which begins two multiply-adds of 512 bits a cycle"
expect_status 2 lamella show "$spec" --stage=c --tune=icelake-servr
expect_contains "$(cat stderr)" "no processor is called 'icelake-servr'; did you mean 'icelake-server'?"
expect_status 0 lamella emit "$spec" --target=avx512 --tune=icelake-server -v -o emitted
expect_contains "$(cat stderr)" "avx512: tiles of 8 rows and 3 vectors"

lamella run "$SPECS/linear.lam" info >/dev/null 2>messages || { grep -q "built without LLVM" messages && { count_skip "no LLVM"; exit 0; }; cat messages; fail run; }
# -march names a processor too; the cache keeps code for different processors apart.
lamella build "$spec" --target=avx512 -march=icelake-server -v -c -o a.o 2>messages
expect_contains "$(cat messages)" "8 rows and 3 vectors"
lamella build "$spec" --target=avx512 -march=icelake-server --tune=znver4 -v -c -o a.o 2>messages
expect_contains "$(cat messages)" "12 rows and 2 vectors"
runs_here avx512 || { count_skip "no avx512 here"; exit 0; }
small=(-D embed=32 -D repeat.h=1 -D seq=16 -D train.steps=3 -D train.batch=4)
train() { lamella run "$SPECS/shakespeare.lam" "${small[@]}" "$@" train --overwrite --quiet --out "$WORK/$number.safetensors" >/dev/null; }
number=0
for options in --target=avx512 "--target=avx512 --tune=icelake-server" "--target=avx512 --passes=tile(rows=5,vectors=1)" "--target=avx512 --passes=tile(rows=6,vectors=4)"; do
  train $options
  cmp "$WORK/0.safetensors" "$WORK/$number.safetensors" || fail "other bits: $options"
  number=$((number + 1))
done
