/* Files that are written, and the standard streams. */
#ifndef LAM_FILES_H
#define LAM_FILES_H

#include "runtime/memory.h"

/* A file that is being written. It is made beside the file that it replaces, synced and renamed, so that a crash leaves
   the old file or the new one, which has the old one's mode. Links are followed. A device or a pipe is written into. */
struct lam_output {
  const char *path;
  char *file, *beside; /* the old file, and the new one; NULL: the path itself is written into */
  void *stream; /* FILE */
};
LAM_API bool lam_output_open(struct lam_output *output, const char *path); /* false after an error */
/* Ends the file. Where it is not `good` (errno says why) or cannot be written, the old one stays, with an error. */
LAM_API bool lam_output_close(struct lam_output *output, bool good);
/* Whether a file of that name can be written, or else an error: better now than after a day of training. */
LAM_API bool lam_is_writable(const char *path);
LAM_API bool lam_same_file(const char *x, const char *y); /* whether both are names of one file */
LAM_API bool lam_cannot_write(const char *path, int problem); /* reports it; false */

/* Parts of these. Finds the file that a new one is to replace, for free(), or NULL where `path` itself is written into.
   Returns false with errno where neither is possible. */
LAM_API bool lam_find_replaced(const char *path, char **file);
/* Makes a file in the folder of `file`, with a new name and the mode that `file` has. Returns its descriptor, or -1;
   its path is for free(). */
LAM_API int lam_create_beside(const char *file, char **beside);

/* Keeps other trainings from a file until lam_unlock or the program's end. Returns false after an error, such as that
   another training has it; where files cannot be locked, a note says so. */
struct lam_locked {
  char *path; /* NULL: nothing is locked */
  int file;
};
LAM_API bool lam_lock(struct lam_locked *lock, const char *path);
LAM_API void lam_unlock(struct lam_locked *lock);
LAM_API void lam_end_tidily(int signal); /* from now on, unfinished files are removed at this signal */

/* At the beginning: occupies the numbers of standard streams that are closed. A file with such a number would get what
   is printed. */
LAM_API void lam_hold_streams(void);
/* At the end: returns `code`, or 1 after an error where not all that was printed has arrived. */
LAM_API int lam_finish(const char *program, int code);

#endif
