/* What is written. */
#ifndef LAM_FILES_H
#define LAM_FILES_H

#include "runtime/memory.h"

/* A file is written beside the one that it replaces, synced, and renamed, so that a crash leaves the old one or the new
   one, whose mode is the old one's. Links are followed; what is no regular file, a device or a pipe, is written into.
   */
struct lam_output {
  const char *path;
  char *file, *beside; /* what is replaced, and by what; NULL: the path itself is written into */
  void *stream; /* FILE */
};
LAM_API bool lam_output_open(struct lam_output *output, const char *path); /* or an error */
/* The end, or, where it is not good for anything (errno says why), back to what was there, with an error. */
LAM_API bool lam_output_close(struct lam_output *output, bool good);
/* Whether a file of that name can be made, or else an error: better now than after a day of training. */
LAM_API bool lam_is_writable(const char *path);
LAM_API bool lam_cannot_write(const char *path, int problem); /* the error; false */

/* The steps of these. The file that a new one is to replace, for free(), or NULL where `path` is written into; false
   with errno where neither can be. */
LAM_API bool lam_find_replaced(const char *path, char **file);
/* A new file of a name of its own in the same folder, with the mode that `file` has: its descriptor, and its path for
   free(); or -1. */
LAM_API int lam_create_beside(const char *file, char **beside);

/* Keeps other trainings from a file, as long as the program runs. False after an error: there is one; where files
   cannot be locked, a note says so. */
struct lam_lock {
  char *path; /* NULL: nothing is locked */
  int file;
};
LAM_API bool lam_lock(struct lam_lock *lock, const char *path);
LAM_API void lam_unlock(struct lam_lock *lock);
LAM_API void lam_end_tidily(int signal); /* from now on, what is left half done is removed at this signal */

/* At the begin: a file must not get the number of a standard stream that is closed, or what is printed would be written
   into it. */
LAM_API void lam_hold_streams(void);
/* At the end: the exit code, 1 after an error where something that was printed has not arrived. */
LAM_API int lam_finish(const char *program, int code);

#endif
