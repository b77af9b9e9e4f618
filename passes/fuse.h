/* What the files that form clusters share: fuse.c, reuse.c. */
#ifndef PASSES_FUSE_H
#define PASSES_FUSE_H

#include "passes/schedule.h"

/* A root, or memory, that an expression reads; `shifted` when not at the expression's own coordinates. */
struct reading {
  const struct value *value;
  bool shifted;
};

struct readings {
  ARRAY(struct reading) items;
  int *seen; /* by value id: stamp * 2 + shifted */
  int stamp;
};

struct former {
  struct scheduler *s;
  struct readings readings; /* of the root that read_root saw last */
  struct { ARRAY(struct cluster *) list; } *consumers; /* by value id: clusters that read it */
};

/* All that a root reads in order to be computed, in former->readings. */
void read_root(struct former *former, const struct value *root);
/* Reduced along the innermost axes, so that a row is read from its beginning to its end. */
bool reduces_rows(const struct cluster *cluster);
/* Elementwise results take the memory of operands that die with them. */
void reuse_operands(struct former *former);

#endif
