/* Names that a C program cannot give to its own things. */
#ifndef CODEGEN_C_NAMES_H
#define CODEGEN_C_NAMES_H

#include <stdbool.h>

/* Whether no variable or function may have the name: it is a keyword, a macro, or a function that printed text
   calls. */
bool c_is_taken(const char *name);
/* Whether a header that programs include declares the name, here or on another system, so that no function may have
   it. */
bool c_is_library_name(const char *name);

#endif
