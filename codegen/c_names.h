/* Names that C programs cannot give to what is their own. */
#ifndef CODEGEN_C_NAMES_H
#define CODEGEN_C_NAMES_H

#include <stdbool.h>

/* Whether nothing may have the name: a keyword, a macro, or a function that printed text calls. */
bool c_is_taken(const char *name);
/* Whether the headers that programs include, here or on another system, declare it: no function of a program may have it. */
bool c_is_library_name(const char *name);

#endif
