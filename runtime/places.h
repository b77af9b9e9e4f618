/* Where the files are that a spec names. */
#ifndef LAM_PLACES_H
#define LAM_PLACES_H

#include "runtime/memory.h"

/* The file of that name, as it can be opened, for free(). A relative one is sought beside the spec, where the compiler
   itself runs the program; else beside the program, and where `lamella build` found the spec, as seen from there; and
   last, or with `here` first, in the current folder. NULL after an error that tells all these places and ends in
   `advice` ("; --data FILE names another"); without `advice` there is no error. */
LAM_API char *lam_find_file(const char *path, bool here, const char *advice);

#endif
