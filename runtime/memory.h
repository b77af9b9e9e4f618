/* Memory, messages, and what every module uses. */
#ifndef LAM_MEMORY_H
#define LAM_MEMORY_H

#include "runtime/program.h"

/* "error: ..." on stderr. Returns false, so that a function can end with `return lam_error(...)`. */
#define lam_error(...) lam_message("error", __VA_ARGS__)
#define lam_note(...) (void)lam_message("note", __VA_ARGS__)
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
LAM_API bool
lam_message(const char *kind, const char *format, ...);
/* Whether the library's `status` is LAM_OK; otherwise reports its message as an error about `where`. */
LAM_API bool lam_told(int status, const char *where, const char *message);
/* Zeroed memory for `count` elements of `size` bytes, for free(). Ends the program where there is not enough. */
LAM_API void *lam_allocate(int64_t count, size_t size);
/* The array, or a larger copy in its place, with room for one more element after `count`. */
LAM_API void *lam_grow(void *array, int64_t count, int64_t *capacity, size_t size);
LAM_API char *lam_join(const char *first, const char *second); /* both as one text, for free() */
/* A file's contents and a zero, or NULL after an error that ends in `advice` ("; --data FILE names another"). */
LAM_API char *lam_read_file(const char *path, const char *advice, size_t *length);
/* The one of `names` (a pointer every `stride` bytes, NULL past the last) that `word` was probably meant to be, or
   NULL. */
LAM_API const char *lam_closest(const char *word, const void *names, size_t stride);
/* A variable of the environment, or NULL. A program with more rights than its caller gets NULL for all of them. */
LAM_API const char *lam_environment(const char *name);
LAM_API double lam_seconds(void); /* by a clock that never goes back */

/* Returns the text as a terminal may have it, in `memory`, with its control characters spelled out. */
enum { LAM_SHOWN = 8192 };
LAM_API const char *lam_shown(char memory[LAM_SHOWN], const char *text);

LAM_API const char *lam_port_text(char text[LAM_SHAPE_TEXT], const struct lam_port *port);
LAM_API size_t lam_port_bytes(const struct lam_port *port);
/* The routine of that number, NULL past the last; and its name. */
LAM_API struct lam_routine *lam_routine_at(struct lam_program *program, int number);
LAM_API const char *lam_routine_name(const struct lam_program *program, int number);
/* Gives the routines of an emitted program their ports, with where their data lie. */
LAM_API void lam_place_ports(struct lam_program *program);
LAM_API struct lam_port *lam_find_port(struct lam_port *ports, int count, const char *name); /* or NULL */
LAM_API double lam_output(const struct lam_routine *routine, const char *name); /* a scalar; NaN where there is none */
LAM_TABLE(char *const lam_routine_names[LAM_ROUTINES])
/* Sets the inputs "step" and "steps" of a routine, where it has them, and runs it. Where it reads what is derived of
   parameters, and these have changed, derive runs first, as a routine of its own. */
LAM_API void lam_run_routine(struct lam_program *program, int number, int64_t step, int64_t steps, uint32_t seed,
                             const int64_t *sizes);

#endif
