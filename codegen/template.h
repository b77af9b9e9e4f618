/* Texts with holes, such as the rows of simd.def. They are taken apart once, so that printed text is never read again.
   A printed piece carries how tightly it binds, and names in a text that must be declared are recorded when it is
   printed. */
#ifndef CODEGEN_TEMPLATE_H
#define CODEGEN_TEMPLATE_H

#include <stdbool.h>

#include "ir/arena.h"

/* Names that must be declared before a text that mentions them: helpers, and names from headers. A name may be listed
   twice. */
struct uses {
  ARRAY(const char *) names;
};

/* C text and how tightly it binds, by C's levels: from 16 (names, calls) down to 1 (comma). */
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
/* $0, $1 ... in the text are holes. `needs`, unless NULL, is recorded like a name that the text mentions. */
const struct template *template_parse(struct arena *arena, const char *text, const char *needs);
/* The whole text of a template. For one without holes, this is what it prints. */
const char *template_text(const struct template *template);
/* The text with its arguments in place, in parentheses where the operators around them need them. Names that it
   mentions are added to `uses`. */
struct piece template_fill(struct arena *arena, struct uses *uses, const struct template *template,
                           const struct piece *arguments);

/* Records a name. */
void uses_add(struct arena *arena, struct uses *uses, const char *name);
/* Records all names of a C text that is data (a row, a helper) and mentions what must be declared. Names in comments
   and strings do not count. */
void uses_add_text(struct arena *arena, struct uses *uses, const char *text);
/* Removes the names recorded from number `from` to before number `to`. */
void uses_drop(struct uses *uses, int from, int to);

#endif
