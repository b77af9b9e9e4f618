/* What a program needs of the runtime's text. */
#ifndef CODEGEN_SHAKE_H
#define CODEGEN_SHAKE_H

#include "ir/arena.h"

/* The runtime, one text in which every function is static, without what neither `users` nor anything that they reach
   mentions. */
const char *shake(struct arena *arena, const char *runtime, const char *users);

#endif
