/* The decisions about one graph on its way to loops: where each value lies, which values are stored, and what one
   kernel computes. Each has its reason, for `show --stage=clusters`. */
#ifndef PASSES_DECISIONS_H
#define PASSES_DECISIONS_H

#include "ir/loop.h"
#include "passes/reason.h"

/* Where a value lies: element (c1, c2 ...) at offset + the sum of strides[i] * c_i, i in the order of the value's axes. */
struct place {
  struct buffer *buffer;
  struct buffer *named; /* the same memory under the value's own name, where it replaces another value; else NULL */
  bool in_block; /* it holds one block of a stream, whose first row is row 0 of the memory: see stream.h */
  int64_t offset;
  int64_t strides[MAX_AXES];
};

/* What is decided about a value. */
struct note {
  bool materialised; /* it has a place; otherwise its consumers compute it where they need it */
  bool is_placed; /* its place has been decided */
  struct place *place;
  struct cluster *cluster; /* the cluster that computes it, when it is a root */
  const struct value *absorbed; /* for an addition: the contraction that begins from its other operand */
  bool is_absorbed; /* for a contraction: the addition computes it */
  /* The reasons. */
  enum keep_reason kept; /* why it is materialised */
  enum join_reason joined; /* a root: why its cluster computes it */
  const struct value *joined_by; /* the value that `joined` mentions, or NULL */
  enum apart_reason apart; /* an addition to a contraction: why the contraction does not begin from the other operand */
  enum untiled_reason untiled; /* a contraction: why it goes by plain loops */
  enum bitmap_reason bitmap; /* a contraction with a pruned weight: how that is read */
  double kept_share; /* the most of that weight's elements that are not zero, as a share */
  bool is_passing; /* the sums of a contraction that its own kernel alone reads, and that no value replaces in memory */
  bool is_local; /* such sums, where a tile of them lies in an array of the kernel, and they have no buffer */
  bool stays; /* it is costly, but a kernel that stored it would wait for itself */
};

enum cluster_kind {
  CLUSTER_CONTRACT, /* one contraction, with what it begins from */
  CLUSTER_SWEEP, /* elementwise values and reductions of one iteration space */
  CLUSTER_CONCAT, /* copies of the parts, except those that are computed in their place */
  CLUSTER_OTHER /* one value, by plain loops */
};

/* Working memory in each cluster for the files that form clusters (fuse.h). It means nothing once clusters are
   formed. */
struct cluster_scratch {
  struct slot *slot; /* where it stands among the others */
  struct cluster *above, *jump; /* clusters that it needs; see cluster_graph.c */
  int depth;
  bool has_below; /* it is `above` of some cluster */
  int visited, seen[2], found[2], moved, climbed, offered; /* stamps of walks */
};

/* What one kernel computes. A sweep's `space` is the set of axes that it runs over, and `reduced` those that its
   reductions run along; all of them run along the same axes. Its values have the axes of the space, or those without
   `reduced`. */
struct cluster {
  int number;
  enum cluster_kind kind;
  ARRAY(const struct value *) values; /* roots, in the graph's order */
  bool ends_sums; /* a sweep that is to go on from a contraction's sums: it takes no reductions */
  struct axis *space[MAX_AXES], *reduced[MAX_AXES];
  int space_count, reduced_count;
  ARRAY(struct cluster *) needs, users; /* some of them more than once */
  struct cluster *merged; /* the cluster it was joined to, or NULL */
  struct stream *stream; /* whose kernel computes the cluster, or NULL */
  int position; /* in an order in which they can run */
  struct cluster_scratch scratch;
};

/* A root that could have been computed in a cluster, and was not. */
struct refusal {
  const struct value *root;
  struct cluster *cluster;
  enum refusal_reason why;
};

/* Some launches of the routine and what they are for: a cluster, or a copy. */
struct told {
  struct cluster *cluster;
  const struct copy *copy;
  int first, count;
};

/* A value to be copied to a place when the rest of the routine is done. */
struct copy {
  const struct value *value;
  struct place *from; /* where the value is read; NULL: at its own place */
  struct place *place;
  const char *what;
  enum copy_reason why;
};

struct decisions {
  struct note *notes; /* by value id */
  ARRAY(struct cluster *) clusters; /* in an order in which they can run, once that is known */
  bool roots_assigned; /* every root of this graph has a cluster */
  ARRAY(struct copy) copies;
  ARRAY(struct refusal) refusals; /* filled only when they are to be explained */
  ARRAY(struct told) told; /* filled only when they are to be explained */
  ARRAY(enum kernel_form) forms; /* of the routine's launches */
};

#endif
