/* What a program tells of its kernels, so that they can be timed. */
#ifndef LAM_KERNELS_H
#define LAM_KERNELS_H

#include "runtime/program.h"

/* A function that the routines call: its name, and the parts of the model that it computes. */
struct lam_kernel {
  const char *name, *where;
};
/* What all calls of a kernel in one run of a routine do: operations on reals, and bytes that have to move. */
struct lam_work {
  int kernel;
  double operations, bytes;
};
/* A routine at certain sizes, for which the work was counted. */
struct lam_workload {
  const char *name; /* "train", "step", "prompt" */
  enum lam_routine_name routine;
  int64_t sizes[2];
  const struct lam_work *work;
  int work_count;
};
/* What time is measured against, made for the target like a kernel is. */
struct lam_peaks {
  int reals; /* of a task in the output, at most */
  int64_t operations; /* of multiply in a round of a task */
  int64_t chunk; /* reals that read reads in a task */
  void (*multiply)(lam_real *out, int64_t tasks, int64_t rounds);
  void (*read)(const lam_real *x, lam_real *sums, int64_t chunks, int64_t rounds);
};
struct lam_bench {
  const struct lam_kernel *kernels;
  int kernel_count;
  const struct lam_workload *workloads;
  int workload_count;
  struct lam_peaks peaks;
};

#endif
