/* Reports times beside what the machine can do. */
#ifndef LAM_BENCH_REPORT_H
#define LAM_BENCH_REPORT_H

#include "runtime/kernels.h"

struct lam_times {
  const struct lam_program *program;
  const char *graph; /* the workload's name */
  int64_t steps;
  double *step_seconds; /* by step */
  double *seconds; /* by step, then by kernel */
  int64_t *calls; /* by kernel, of a step */
  double *operations, *bytes; /* by kernel, of a step */
  bool fastest; /* each kernel's time is its least one, not the median */
  double units; /* tokens or examples in a step */
  const char *unit;
};
/* Measures the peaks and prints the table, with `all` also of kernels that take little time; `json` names a file for
   machines, or is NULL. */
LAM_API bool lam_report(const struct lam_times *times, bool all, const char *json);

#endif
