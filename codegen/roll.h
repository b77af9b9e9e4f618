/* Finds runs of calls that repeat, from the list of launches alone: twelve layers become one loop. */
#ifndef CODEGEN_ROLL_H
#define CODEGEN_ROLL_H

#include "ir/loop.h"

/* Launches first ... first + period * copies - 1, which call the same `period` functions `copies` times. For a single
   launch both are 1. */
struct roll {
  int first, period, copies;
};

struct rolls {
  ARRAY(struct roll) items;
};

/* Covers all launches, in order, by rolls that need as few lines of calls and tables as possible. */
struct rolls roll_launches(struct arena *arena, struct launch *const *launches, int count);

/* Makes copies of one name of the activations that a rolled argument runs over, where they are not yet: a table of
   pointers becomes an array. Names are looked up in `module`. */
void roll_name_copies(struct arena *arena, const struct module *module, struct launch *const *launches, int count);

/* For two paths that differ in one number, as those of neighbouring copies do, the path with `.number` replaced by
   `with`; else NULL. ("h.0.attn", "h.1.attn", "[i]") gives "h[i].attn". */
const char *path_of_copies(struct arena *arena, const char *first, const char *second, const char *with);
/* That number in the first path; 0 where there is none. */
int64_t path_number(const char *first, const char *second);

/* The launch at a position (below period) of a copy. */
const struct launch *roll_launch(const struct roll *roll, struct launch *const *launches, int position, int copy);

/* How one argument changes from copy to copy (t = 0, 1 ...). */
enum argument_form {
  FORM_SAME, /* one buffer, or one number */
  FORM_AFFINE, /* the buffer's copy number, or the number, is start + slope * t */
  FORM_EXCEPT_FIRST, /* the same or affine, except for t = 0 */
  FORM_EXCEPT_LAST, /* the same or affine, except for the last t */
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
