# Single contractions at the shapes of the other workloads (bench/contract/shapes.txt), by one thread and by all.
title="single contractions, float32, at the shapes of W1 to W5"
contenders=(lamella openblas onednn)

# Prints the products as time.c and emit.c read them: NAME LAYOUT M K N.
products() {
  sed '/^#/d' "$root/bench/contract/shapes.txt" | if [[ $quick == 0 ]]; then cat; else sed -n '16p;30p;50p'; fi |
    awk '{ print $1 ":" $2 "x" $3 "x" $4 ":" $5, $5, $2, $3, $4 }'
}
thread_counts() { if [[ $threads == 1 ]]; then echo 1; else echo 1 "$threads"; fi; }
layout_of() { case $1 in w) echo 'x w' ;; t) echo "x w'" ;; g) echo "x' y" ;; esac; }
case_name() { printf '%s: m %s, k %s, n %s, %s, by %s' "${1%%:*}" "$3" "$4" "$5" "$(layout_of "$2")" "$6"; }

cases() {
  local name layout m k n count work
  while read -r name layout m k n; do
    for count in $(thread_counts); do
      work=$(awk -v m="$m" -v k="$k" -v n="$n" 'BEGIN { printf "%.6f\t%.6f", 2e-9 * m * k * n, 4e-9 * (m * k + k * n + m * n) }')
      case_row "$(case_name "$name" "$layout" "$m" "$k" "$n" "$count")" GFLOP/s "1 x" "${work%$'\t'*}" "${work#*$'\t'}" "$count"
    done
  done < <(products)
}

# contender NAME OBJECTS-OR-OPTIONS...: compiles time.c with the `contract` of a contender.
contender() { "${CC:-cc}" -O2 -fopenmp -I"$root" "$root/bench/contract/time.c" "${@:2}" -lm -o "$work/$1"; }

prepare() {
  local contender folder
  for contender in "${present[@]}"; do
    case $contender in
      lamella)
        "${CC:-cc}" -std=c17 -D_POSIX_C_SOURCE=200809L -O2 -I"$root" "$root/bench/contract/emit.c" "$build/libharness.a" \
          "$build/libpasses.a" "$build/libcodegen.a" "$build/libir.a" -lm -ldl -o "$work/emit"
        products | "$work/emit" "$work"
        printf '%s\n' "$work"/product_*.c | sed 's/\.c$//' |
          xargs -P "$(nproc)" -I FILE "${CC:-cc}" -std=c11 -O2 -fopenmp -c FILE.c -o FILE.o
        # Kernels and launches of all products have the same names, so each object keeps its own local.
        printf '%s\n' "$work"/product_*.o | xargs -n 1 objcopy --wildcard --keep-global-symbol='bench_product_*'
        contender lamella "$work/find.c" "$work"/product_*.o
        ;;
      openblas)
        folder=$(openblas_folder)
        contender openblas "$root/bench/contract/openblas.c" -I"$folder/include" "$folder/lib/libscipy_openblas.so" \
          -Wl,-rpath,"$folder/lib"
        ;;
      onednn)
        contender onednn "$root/bench/contract/onednn.c" -I"$peers/include" "$peers/lib/libdnnl.so" -Wl,-rpath,"$peers/lib"
        ;;
    esac
  done
}

# Each product is a process of its own, so that contenders take turns within a second.
slices() {
  local name layout m k n count
  while read -r name layout m k n; do
    for count in $(thread_counts); do echo "$name $layout $m $k $n $count"; done
  done < <(products)
}

sample() {
  local name=$2 layout=$3 m=$4 k=$5 n=$6 count=$7 milliseconds
  milliseconds=$(echo "$name $layout $m $k $n" | OMP_NUM_THREADS=$count OPENBLAS_NUM_THREADS=$count "$work/$1" | cut -f 2)
  printf '%s\t%s\n' "$(case_name "$name" "$layout" "$m" "$k" "$n" "$count")" "$milliseconds"
}
