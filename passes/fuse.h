/* What the files that form clusters share:
     fuse.c           roots, what they read, and the order of the steps
     cluster.c        joining roots
     cluster_share.c  what several clusters would compute
     cluster_order.c  the order of clusters, updates in place
     reuse.c          results in the place of operands that die */
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
  int wanted;               /* stamp of cluster->wanted */
};

/* --- fuse.c --------------------------------------------------------------------------------------------------------------- */

bool same_set(struct axis *const *x, int x_count, struct axis *const *y, int y_count);
/* Looked through, but for concats and pads, which compute. */
bool is_view(const struct value *value);
bool is_leaf(const struct value *value);
/* From other values: not a leaf, not a mere view. */
bool is_computed(const struct value *value);
/* Whether expressions end at the value: it is a root, or memory. */
bool stops_here(struct scheduler *scheduler, const struct value *value);
/* All that a root reads in order to be computed, in former->readings. */
void read_root(struct former *former, const struct value *root);

/* --- cluster.c -------------------------------------------------------------------------------------------------------------- */

/* The cluster that a root is in, or NULL; and the one that a cluster was joined to, in the end. */
struct cluster *cluster_of(struct scheduler *scheduler, const struct value *value);
struct cluster *representative(struct cluster *cluster);
struct cluster *cluster_new(struct scheduler *scheduler, enum cluster_kind kind);
void add_need(struct scheduler *scheduler, struct cluster *cluster, struct cluster *need);
/* Whether `from` needs `target`, directly or not, or is it. */
bool reaches(struct scheduler *scheduler, struct cluster *from, const struct cluster *target);
/* The iteration space of a root, ordered, and what is reduced in it. */
void space_of(struct scheduler *scheduler, const struct value *value, struct cluster *cluster);
/* Reduced along the innermost axes, so that a row is read from its beginning to its end. */
bool reduces_rows(const struct cluster *cluster);
/* Reduced to single numbers. */
bool is_total(const struct cluster *cluster);
/* Whether the value has the axes of the space without those reduced. */
bool is_rest(const struct cluster *cluster, const struct value *value);
/* Whether a root whose space is `own` fits the cluster's, and, with the readings of the present root, may be computed in it. */
bool suits(const struct cluster *cluster, const struct value *value, const struct cluster *own);
bool legal(struct former *former, struct cluster *cluster, const struct cluster *own);
/* Puts the root whose readings are the present ones into a cluster. */
void join(struct former *former, struct cluster *cluster, const struct value *value, const struct cluster *own);
/* Puts a root into the best cluster there is, or a new one. */
void place_root(struct former *former, const struct value *value);

/* --- cluster_share.c, cluster_order.c, reuse.c --------------------------------------------------------------------------------- */

void materialise_shared(struct former *former);
/* Reductions that another cluster reads need memory; the others stay in registers. */
void materialise_reductions(struct former *former);
/* cluster->position, in an order in which they can run. */
void number_positions(struct scheduler *scheduler);
/* The clusters in such an order. */
void sort_clusters(struct scheduler *scheduler);
void order_updates(struct former *former);
/* Elementwise results take the memory of operands that die with them. */
void reuse_operands(struct former *former);

#endif
