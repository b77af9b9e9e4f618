/* Finds the files that a spec names. */
#ifndef LAM_PLACES_H
#define LAM_PLACES_H

#include "runtime/memory.h"
#include "runtime/program.h"

/* Finds a file that the spec names, and returns the path that opens it, for free(). A relative path is looked for
   beside the spec if the compiler itself runs the program. Otherwise it is looked for beside the program, and then
   where the spec was when `lamella build` made the program, as seen from the program. The current folder comes last,
   or first with `here`. Returns NULL after an error that lists all these places and ends in `advice` ("; --data FILE
   names another"); if `advice` is NULL, nothing is reported. */
LAM_API char *lam_find_file(const struct lam_program *program, const char *path, bool here, const char *advice);

#endif
