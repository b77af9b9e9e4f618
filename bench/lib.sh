# Functions that the workloads of bench/run share. bench/run sources this file, and sets `root`, `build`, `peers`,
# `work`, `rounds`, `threads`, `quick` and `peers_wanted`. A sample is a line "CASE<tab>VALUE": milliseconds, or
# megabytes where the case's unit is MB.

python=$peers/bin/python
lamella() { "$build/lamella" "$@"; }

# Prints why the contender cannot run here, or nothing if it can.
missing() {
  [[ $1 == lamella ]] && return
  [[ $peers_wanted == 1 ]] || { echo "--without-peers"; return; }
  case $1 in
    float32 | whole) ;; # Lamella's own, without what the workload is about
    torch | torch.*) has_python_module torch || echo "no torch: bench/peers/setup installs it" ;;
    openblas) [[ -e $(openblas_folder)/lib/libscipy_openblas.so ]] || echo "no scipy-openblas32: bench/peers/setup installs it" ;;
    onednn) [[ -e $peers/include/oneapi/dnnl/dnnl.h ]] || echo "no onednn-devel-cpu-gomp: bench/peers/setup installs it" ;;
    llm.c) [[ -x ${LLMC:-}/train_gpt2 ]] || echo "neither PyPI nor Debian has it: LLMC names a folder where train_gpt2 is built" ;;
    *) echo "bench/lib.sh does not know it" ;;
  esac
}
# Prints the version of a peer's package, or nothing for a contender without one.
version() {
  local package
  case $1 in
    torch | torch.*) package=torch ;;
    openblas) package=scipy_openblas32 ;;
    onednn) package=onednn_cpu_gomp ;;
    *) return 0 ;;
  esac
  printf '%s\n' "$peers"/lib/python3*/site-packages/"$package"-*.dist-info | sed -n '1s/.*-\([^-]*\)\.dist-info$/\1/p'
}
has_python_module() {
  [[ -x $python ]] && "$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)" 2> /dev/null
}
openblas_folder() { printf '%s\n' "$peers"/lib/python3*/site-packages/scipy_openblas32 | head -n 1; }

# Prints a line for each part of a round in which every contender has its turn; the line's words are further arguments of
# `sample`. A workload may define its own.
slices() { echo; }

# How many rounds a contender takes part in: fewer than all where one run takes a minute, or where figures vary little.
most_rounds() { echo "$rounds"; }
at_most() { echo $((rounds < $1 ? rounds : $1)); }

build_peak() {
  peak_program=$work/peak
  "${CC:-cc}" -std=c11 -O3 -march=native -ffp-contract=fast -fopenmp "$root/bench/peak.c" -o "$peak_program"
}
# Measures the machine's GFLOP/s and GB/s now, by one thread and by all.
peak() {
  OMP_NUM_THREADS=1 "$peak_program" | sed 's/\t/ 1\t/'
  [[ $threads == 1 ]] || OMP_NUM_THREADS=$threads "$peak_program" | sed "s/\t/ $threads\t/"
}

# training_program NAME SPEC [-D ...]: builds an executable in the workload's folder that logs each step and does nothing between steps.
# SPEC: a path, or the name of a file in specs/.
training_program() {
  local name=$1 spec=$2
  [[ $spec == */* ]] || spec=$root/specs/$spec
  shift 2
  lamella build "$spec" -D train.eval=0 -D train.log=1 "$@" -o "$work/$name"
}
# training_steps NAME WARMUP STEPS: runs the program for so many steps and kills it there, before it evaluates and
# writes a checkpoint. If nobody were left to kill it, it would end two steps later. Prints the median time of a step
# after the warm-up, and the peak of the process's memory: "step<tab>MS" and "memory<tab>MB".
training_steps() {
  local name=$1 warmup=$2 steps=$3
  (
    cd "$work"
    echo "$BASHPID" > "$name.pid"
    exec "./$name" train --overwrite --steps $((warmup + steps + 2)) --threads "$threads" --quiet --log /dev/stdout --out "$name.safetensors"
  ) | {
    # The shell reads the lines: not every awk reads a pipe line by line, and the program would get further than asked.
    local line pid memory times=()
    while ((${#times[@]} < warmup + steps)) && IFS= read -r line; do
      [[ ! $line =~ \"seconds\":([0-9.]+) ]] || times+=("${BASH_REMATCH[1]}")
    done
    pid=$(< "$work/$name.pid")
    memory=$(awk '/^VmHWM/ { print $2 * 1024 / 1e6 }' "/proc/$pid/status" 2> /dev/null)
    kill -KILL "$pid" 2> /dev/null # on any other signal it would write a checkpoint
    ((${#times[@]} == warmup + steps)) && [[ -n $memory ]] || { echo "only ${#times[@]} steps" >&2; exit 1; }
    printf '%s\n' "${times[@]}" | awk -v warmup="$warmup" 'NR > warmup { print 1000 * ($1 - last) } { last = $1 }' | sort -g |
      awk '{ time[NR] = $1 } END { printf "step\t%.3f\n", NR % 2 ? time[(NR + 1) / 2] : (time[NR / 2] + time[NR / 2 + 1]) / 2 }'
    printf 'memory\t%.1f\n' "$memory"
  } || [[ ${PIPESTATUS[1]} == 0 ]]
}

# torch_steps WARMUP STEPS [--compile] ...: the same for bench/peers/gpt.py, which adds "first step<tab>MS".
torch_steps() {
  local warmup=$1 steps=$2
  shift 2
  OMP_NUM_THREADS=$threads TORCHINDUCTOR_CACHE_DIR=${inductor_cache:-$work/inductor} \
    "$python" "$root/bench/peers/gpt.py" --threads "$threads" --warmup "$warmup" --steps "$steps" "$@"
}
only() { awk -F '\t' -v name="$1" -v as="${2:-$1}" '$1 == name { print as "\t" $2 }'; }

# milliseconds CASE COMMAND...: prints a sample of how long the command takes; fails when the command does.
milliseconds() {
  local name=$1 begin=$EPOCHREALTIME
  shift
  "$@" > /dev/null || return 1
  printf '%s\t%s\n' "$name" "$(elapsed "$begin")"
}
elapsed() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f\n", 1000 * (b - a) }'; }

# gpt_gigaflop LAYERS EMBED VOCAB SEQ BATCH: the contractions of a training step, forward and, with twice as many operations, backward.
gpt_gigaflop() {
  awk -v l="$1" -v e="$2" -v v="$3" -v n="$4" -v b="$5" '
    BEGIN { printf "%.4f", (6 * (12 * l * e * e + v * e) * b * n + 12 * l * b * n * n * e) / 1e9 }'
}
# case_row NAME [UNIT [GOAL [GIGAFLOP [GIGABYTE [THREADS]]]]]: prints a case for `cases`. UNIT: ms, MB, or GFLOP/s, which
# shows milliseconds as a rate. GOAL: "0.52 x" of the best peer at most, "200 ms" at most, or empty.
case_row() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "${2:-ms}" "${3:-}" "${4:-}" "${5:-}" "${6:-$threads}"; }
