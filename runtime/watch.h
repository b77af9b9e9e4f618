/* Where the time goes. */
#ifndef LAM_WATCH_H
#define LAM_WATCH_H

#include "runtime/kernels.h"

/* Around every kernel. */
LAM_API double lam_kernel_begin(void);
LAM_API void lam_kernel_end(int kernel, double begin);
/* From now on the kernels' times and calls are added to these, by kernel. */
LAM_API void lam_watch_kernels(const struct lam_bench *bench, double *seconds, int64_t *calls);
/* What a thread does between two points, for the trace; spans nest. `number`: of a step, or -1. */
LAM_API void lam_span_begin(const char *name, int64_t number);
LAM_API void lam_span_end(void);
LAM_API void lam_span_thread(const char *name); /* what this thread is called */
/* Chrome's trace events, as Perfetto opens them; written when the trace is closed, unless it is not to be kept. */
LAM_API bool lam_trace_open(const struct lam_program *program, const char *path);
LAM_API bool lam_trace_close(const struct lam_program *program, bool keep);
LAM_TABLE(struct lam_tracer lam_tracer)
LAM_API void lam_json_text(void *file, const char *text); /* in quotes, to a FILE */

#endif
