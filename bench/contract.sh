#!/bin/sh
# Builds and runs bench/contract.c with the libraries of build/: bench/contract.sh [TARGET [M K N]]
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build}
cc -std=c17 -D_POSIX_C_SOURCE=200809L -O2 -I"$root" "$root/bench/contract.c" \
  "$build/libharness.a" "$build/libpasses.a" "$build/libcodegen.a" "$build/libir.a" -lm -ldl -o "$build/bench_contract"
exec "$build/bench_contract" "$@"
