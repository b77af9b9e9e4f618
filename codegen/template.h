/* Texts with holes, as the rows of simd.def have them: taken apart once, so that what is printed from them is never read again. A printed
   piece carries how tightly it binds, and what a text mentions that must be declared is recorded when it is printed. */
#ifndef CODEGEN_TEMPLATE_H
#define CODEGEN_TEMPLATE_H

#include <stdbool.h>

#include "ir/arena.h"

/* Names that must be declared before the text which mentions them: helpers, and what headers declare. The same one may stand there twice. */
struct uses {
  ARRAY(const char *) names;
};

/* C text and how tightly it binds: as C's levels are listed from 16 (names, calls) down to 1 (comma). */
enum { BINDS_NAME = 16, BINDS_UNARY = 14, BINDS_PRODUCT = 13, BINDS_SUM = 12, BINDS_CHOICE = 3, BINDS_LIST = 2 };
struct piece {
  const char *text;
  int binding;
  bool negative; /* it begins with a minus */
};
struct piece piece_name(const char *text);
/* The piece's text, in parentheses unless it binds at least so tightly. */
const char *piece_text(struct arena *arena, struct piece piece, int binding);

struct template;
/* $0, $1 ... in the text are holes. */
const struct template *template_parse(struct arena *arena, const char *text);
/* The whole text; of one without holes, what it prints. */
const char *template_text(const struct template *template);
/* The text with its arguments in place, in parentheses where the operators around them ask for it. What it mentions goes to `uses`. */
struct piece template_fill(struct arena *arena, struct uses *uses, const struct template *template,
                           const struct piece *arguments);

/* Records a name. */
void uses_add(struct arena *arena, struct uses *uses, const char *name);
/* The same for all names of a text of C that is data (a row, a helper) which must be declared: comments and strings mention nothing. */
void uses_add_text(struct arena *arena, struct uses *uses, const char *text);
/* Takes back what was recorded from `from` to before `to`. */
void uses_drop(struct uses *uses, int from, int to);

#endif
