/* What a program tells about its kernels, so that they can be timed. */
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
/* A routine at certain run-time sizes, and the work of its kernels there. */
struct lam_workload {
  const char *name; /* "train", "step", "prompt" */
  int routine; /* its number */
  int64_t sizes[2];
  const struct lam_work *work;
  int work_count;
};
/* Functions that measure the machine's peaks, compiled for the target like a kernel. */
struct lam_peaks {
  int reals; /* elements of the output that a task needs, at most */
  int64_t operations; /* done by a task of multiply in a round */
  int64_t chunk; /* elements that a task of read reads in a round */
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
