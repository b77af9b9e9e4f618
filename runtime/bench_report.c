/* Reports times of kernels beside the machine's peaks, which are measured here: as a table, and for machines. */
#include "runtime/runtime.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* --- Peaks -------------------------------------------------------------------------------------------------------- */

/* The machine's peaks, in operations and bytes a second. */
struct lam_machine {
  double multiply, memory, cache;
  int threads;
};

/* A peak is the best of many short tries: other work on the machine only slows tries down, and not all of them. */
enum { LAM_TRIES = 256 };
static const double lam_shortest_try = 1e-3; /* seconds, long enough to measure */

static double lam_multiply_peak(const struct lam_peaks *peaks, int threads) {
  int64_t tasks = threads, rounds = 1000;
  lam_real *out = lam_allocate(tasks * peaks->reals, sizeof *out);
  double best = 0;
  for (int try = 0; try < LAM_TRIES;) {
    double begin = lam_seconds();
    peaks->multiply(out, tasks, rounds);
    double seconds = lam_seconds() - begin, rate = (double)(tasks * rounds * peaks->operations) / seconds;
    if (seconds < lam_shortest_try) {
      rounds *= 2;
      continue;
    }
    if (rate > best) best = rate;
    try++;
  }
  free(out);
  return best;
}

/* Reads windows of `chunks` chunks in turn: more of them than caches hold, or the same one again and again. */
static double lam_read_peak(const struct lam_peaks *peaks, int64_t chunks, int64_t windows) {
  lam_real *x = lam_allocate(windows * chunks * peaks->chunk, sizeof *x);
  lam_real *sums = lam_allocate(chunks * peaks->reals, sizeof *x);
  double best = 0, bytes = (double)(chunks * peaks->chunk) * sizeof *x;
  int64_t rounds = 1;
  for (int64_t i = 0; i < windows * chunks * peaks->chunk; i++) x[i] = 1; /* pages get their memory when written */
  for (int try = 0; try < LAM_TRIES;) {
    double begin = lam_seconds();
    peaks->read(x + try % windows * chunks * peaks->chunk, sums, chunks, rounds);
    double seconds = lam_seconds() - begin, rate = bytes * (double)rounds / seconds;
    if (seconds < lam_shortest_try && windows == 1) {
      rounds *= 2;
      continue;
    }
    if (rate > best) best = rate;
    try++;
  }
  free(x);
  free(sums);
  return best;
}

static struct lam_machine lam_measure_machine(const struct lam_peaks *peaks) {
  struct lam_machine machine = {.threads = 1};
#ifdef _OPENMP
  machine.threads = omp_get_max_threads();
#endif
  int64_t wanted = 256 << 20;
#ifdef _SC_PHYS_PAGES
  int64_t available = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE) / 8;
  if (available > 0 && available < wanted) wanted = available;
#endif
  enum { WINDOWS = 16 };
  int64_t chunks = wanted / (WINDOWS * peaks->chunk * (int64_t)sizeof(lam_real));
  machine.multiply = lam_multiply_peak(peaks, machine.threads);
  machine.memory = lam_read_peak(peaks, chunks > machine.threads ? chunks : machine.threads, WINDOWS);
  machine.cache = lam_read_peak(peaks, machine.threads, 1);
  return machine;
}

/* --- What binds --------------------------------------------------------------------------------------------------- */

struct lam_row_of_report {
  const struct lam_kernel *kernel;
  int64_t calls;
  double seconds, operations, bytes, share; /* share: how much of the peak that binds it reaches */
  const char *bound;
};

static int lam_by_number(const void *x, const void *y) {
  double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

/* The time that stands for all steps: the median of the numbers, or their least. Sorts them. */
static double lam_typical(const struct lam_times *times, double *numbers) {
  int64_t count = times->steps;
  qsort(numbers, (size_t)count, sizeof *numbers, lam_by_number);
  return times->fastest ? numbers[0] : (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
}

static int lam_by_time(const void *x, const void *y) {
  const struct lam_row_of_report *a = x, *b = y;
  return (a->seconds < b->seconds) - (a->seconds > b->seconds);
}

/* Arithmetic or memory binds a kernel, whichever needs more time at its peak. Bytes that moved faster than memory can
   move them came out of a cache. */
static void lam_find_bound(struct lam_row_of_report *row, const struct lam_machine *machine) {
  double arithmetic = row->operations / machine->multiply, memory = row->bytes / machine->memory,
         cache = row->bytes / machine->cache;
  bool cached = memory > row->seconds;
  double moving = cached ? cache : memory;
  row->bound = arithmetic >= moving ? "arithmetic" : cached ? "cache" : "memory";
  row->share = row->seconds > 0 ? (arithmetic >= moving ? arithmetic : moving) / row->seconds : 0;
}

/* Makes rows of the kernels that ran, by time, and returns how many there are. */
static int lam_rows(const struct lam_times *times, const struct lam_machine *machine, struct lam_row_of_report *rows) {
  const struct lam_bench *bench = times->program->bench;
  double *numbers = lam_allocate(times->steps, sizeof *numbers);
  int count = 0;
  for (int k = 0; k < bench->kernel_count; k++) {
    if (!times->calls[k]) continue;
    for (int64_t i = 0; i < times->steps; i++) numbers[i] = times->seconds[i * bench->kernel_count + k];
    rows[count] = (struct lam_row_of_report){.kernel = &bench->kernels[k],
                                             .calls = times->calls[k],
                                             .seconds = lam_typical(times, numbers),
                                             .operations = times->operations[k],
                                             .bytes = times->bytes[k]};
    lam_find_bound(&rows[count++], machine);
  }
  free(numbers);
  qsort(rows, (size_t)count, sizeof *rows, lam_by_time);
  return count;
}

/* --- Output ------------------------------------------------------------------------------------------------------- */

/* Times of a step, in seconds; outside: spent outside of all kernels. */
struct lam_step_times {
  double typical, fastest, slowest, outside;
};

static void lam_print_sum(const char *what, double seconds, double step) {
  printf("%-37s %10.4f %6.1f%%\n", what, 1e3 * seconds, 100 * seconds / step);
}

static void lam_print_rows(const struct lam_row_of_report *rows, int count, const struct lam_step_times *step,
                           bool all) {
  double shown = 0, rest = 0, sum = 0;
  char others[64];
  int left = 0;
  for (int i = 0; i < count; i++) sum += rows[i].seconds;
  printf("%-30s %6s %10s %7s %9s %7s  %-10s %6s  %s\n", "kernel", "calls", "ms/step", "share", "GFLOP/s", "GB/s",
         "bound by", "of it", "in");
  for (int i = 0; i < count; i++) {
    const struct lam_row_of_report *row = &rows[i];
    if (!all && shown > 0.98 * sum) {
      left++;
      rest += row->seconds;
      continue;
    }
    shown += row->seconds;
    double rate = row->seconds > 0 ? 1e-9 / row->seconds : 0;
    printf("%-30s %6lld %10.4f %6.1f%% %9.2f %7.2f  %-10s %5.0f%%  %s\n", row->kernel->name, (long long)row->calls,
           1e3 * row->seconds, 100 * row->seconds / step->typical, row->operations * rate, row->bytes * rate,
           row->bound, 100 * row->share, row->kernel->where);
  }
  snprintf(others, sizeof others, "%d others, which --all lists", left);
  if (left) lam_print_sum(others, rest, step->typical);
  lam_print_sum("outside kernels", step->outside, step->typical);
  /* The medians' sum is not the step's median where other work disturbs now this kernel, now that one. */
  double disturbed = step->typical - sum - step->outside;
  if (disturbed > 0.05 * step->typical) lam_print_sum("disturbed by other work here", disturbed, step->typical);
}

static bool lam_write_report(const char *path, const struct lam_times *times, const struct lam_machine *machine,
                             const struct lam_row_of_report *rows, int count, const struct lam_step_times *step) {
  struct lam_output output;
  bool good = lam_output_open(&output, path);
  if (good) {
    FILE *file = output.stream;
    fputs("{\"program\":", file);
    lam_json_text(file, times->program->name);
    fprintf(file, ",\"target\":\"%s\",\"threads\":%d,\"graph\":\"%s\",\"steps\":%lld", times->program->target,
            machine->threads, times->graph, (long long)times->steps);
    fprintf(file, ",\"step_ms\":%.6f,\"fastest_ms\":%.6f,\"outside_ms\":%.6f", 1e3 * step->typical, 1e3 * step->fastest,
            1e3 * step->outside);
    fprintf(file, ",\"%s\":%.0f,\"peak\":{\"gflops\":%.3f,\"read_gbs\":%.3f,\"cache_gbs\":%.3f},\"kernels\":[",
            times->unit, times->units, machine->multiply / 1e9, machine->memory / 1e9, machine->cache / 1e9);
    for (int i = 0; i < count; i++) {
      fputs(i ? ",\n{\"name\":" : "\n{\"name\":", file);
      lam_json_text(file, rows[i].kernel->name);
      fputs(",\"where\":", file);
      lam_json_text(file, rows[i].kernel->where);
      fprintf(file, ",\"calls\":%lld,\"ms\":%.6f,\"flops\":%.0f,\"bytes\":%.0f,\"bound\":\"%s\",\"share\":%.4f}",
              (long long)rows[i].calls, 1e3 * rows[i].seconds, rows[i].operations, rows[i].bytes, rows[i].bound,
              rows[i].share);
    }
    fputs("\n]}\n", file);
    good = lam_output_close(&output, true);
  }
  return good;
}

static struct lam_step_times lam_step_times(const struct lam_times *times) {
  int kernels = times->program->bench->kernel_count;
  double *outside = lam_allocate(times->steps, sizeof *outside), *steps = lam_allocate(times->steps, sizeof *steps);
  for (int64_t i = 0; i < times->steps; i++) {
    outside[i] = steps[i] = times->step_seconds[i];
    for (int k = 0; k < kernels; k++) outside[i] -= times->seconds[i * kernels + k];
  }
  struct lam_step_times step = {.outside = lam_typical(times, outside), .typical = lam_typical(times, steps)};
  step.fastest = steps[0];
  step.slowest = steps[times->steps - 1];
  free(outside);
  free(steps);
  return step;
}

bool lam_report(const struct lam_times *times, bool all, const char *json) {
  const struct lam_bench *bench = times->program->bench;
  struct lam_row_of_report *rows = lam_allocate(bench->kernel_count, sizeof *rows);
  struct rusage usage = {0};
  getrusage(RUSAGE_SELF, &usage); /* before the peaks take memory of their own */
  struct lam_machine machine = lam_measure_machine(&bench->peaks);
  struct lam_step_times step = lam_step_times(times);
  int count = lam_rows(times, &machine, rows);
  double operations = 0, sum = step.outside;
  for (int i = 0; i < count; i++) operations += rows[i].operations, sum += rows[i].seconds;
  if (times->fastest) step.typical = sum; /* perhaps no step was undisturbed as a whole */
  lam_print_rows(rows, count, &step, all);
  lam_print_sum("step", step.typical, step.typical);
  printf("\n%s, %s: %s of %lld steps (%.3f to %.3f ms), %.0f %s/s, %.2f GFLOP/s, %.1f MB at the peak\n",
         times->program->name, times->graph, times->fastest ? "fastest" : "median", (long long)times->steps,
         1e3 * step.fastest, 1e3 * step.slowest, times->units / step.typical, times->unit,
         1e-9 * operations / step.typical, (double)usage.ru_maxrss / 1e3);
  printf(
      "this machine, %d thread%s, %s: %.1f GFLOP/s of multiply-adds; it reads %.1f GB/s from memory, %.1f from cache\n",
      machine.threads, machine.threads > 1 ? "s" : "", times->program->target, machine.multiply / 1e9,
      machine.memory / 1e9, machine.cache / 1e9);
  bool good = !json || lam_write_report(json, times, &machine, rows, count, &step);
  free(rows);
  return good;
}
