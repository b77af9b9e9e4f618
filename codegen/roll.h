/* Runs of calls that repeat: twelve layers become one loop. Found from the list of launches alone. */
#ifndef CODEGEN_ROLL_H
#define CODEGEN_ROLL_H

#include "ir/loop.h"

/* Launches first ... first + period * copies - 1: `copies` times the same `period` functions. A single launch has 1 and 1. */
struct roll {
  int first, period, copies;
};

struct rolls {
  ARRAY(struct roll) items;
};

/* Covers all launches in order, with as few lines of calls and tables as possible. */
struct rolls roll_launches(struct arena *arena, struct launch *const *launches, int count);

/* Activations that a rolled argument runs over, and that are not yet copies of one name, become copies: a table of pointers
   becomes an array. `module` is where names are looked up. */
void roll_name_copies(struct arena *arena, const struct module *module, struct launch *const *launches, int count);

/* Two paths that differ in one number, as those of neighbouring copies do: the path with `.number` replaced by `with`; else
   NULL. ("h.0.attn", "h.1.attn", "[i]") is "h[i].attn". */
const char *path_of_copies(struct arena *arena, const char *first, const char *second, const char *with);

/* How one argument changes from copy to copy (t = 0, 1 ...). */
enum argument_form {
  FORM_SAME, /* one buffer, or one number */
  FORM_AFFINE, /* the buffer's copy number start + slope * t; or such a number */
  FORM_EXCEPT_FIRST, /* same or affine but for t = 0 */
  FORM_EXCEPT_LAST, /* but for the last t */
  FORM_TABLE /* anything else */
};

struct argument_family {
  enum argument_form form;
  bool copies; /* the regular part's buffers are copies of one name */
  int64_t start, slope; /* of the copy number, or of the number */
  int64_t offset_start, offset_step; /* of the offset into the buffer: offset_start + offset_step * t */
};

/* Argument `argument` of the launch at `position` (below period) of the roll. */
struct argument_family roll_argument(struct launch *const *launches, const struct roll *roll, int position,
                                     int argument);

#endif
