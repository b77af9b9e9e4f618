/* Measures where the time goes. */
#ifndef LAM_WATCH_H
#define LAM_WATCH_H

#include "runtime/kernels.h"

/* Called around every kernel. */
LAM_API double lam_kernel_begin(void);
LAM_API void lam_kernel_end(int kernel, double begin);
/* From now on each kernel's time and calls are added to its elements of `seconds` and `calls`. */
LAM_API void lam_watch_kernels(const struct lam_bench *bench, double *seconds, int64_t *calls);
/* What a thread does from the one to the other is a span of the trace. Spans nest. `number`: of a step, or -1. */
LAM_API void lam_span_begin(const char *name, int64_t number);
LAM_API void lam_span_end(void);
LAM_API void lam_span_thread(const char *name); /* names this thread in the trace */
/* Records Chrome's trace events, which Perfetto opens. Closing the trace writes them, if they are to be kept. */
LAM_API bool lam_trace_open(const struct lam_program *program, const char *path);
LAM_API bool lam_trace_close(const struct lam_program *program, bool keep);
LAM_TABLE(struct lam_tracer lam_tracer)
LAM_API void lam_json_text(void *file, const char *text); /* as a JSON string, to a FILE */

#endif
