/* What the files that form clusters share:
     fuse.c           roots, what they read, and the order of the steps
     cluster.c        joining roots
     cluster_graph.c  which cluster needs which
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

/* A walk from some clusters down to what they need, which goes as far as questions make it. */
struct search {
  int number, stamp; /* of a cluster's scratch.seen and scratch.found */
  ARRAY(struct cluster *) heap; /* seen, and their needs not yet */
  struct cluster *latest;       /* of those that it is from */
};

struct readers {
  ARRAY(struct cluster *) items;
};

struct former {
  struct scheduler *s;
  bool deep;                /* see is_deep */
  struct readings readings; /* of the root that read_root saw last */
  struct readers *readers;  /* by value id: clusters that read it */
  struct search below;      /* from the clusters of the present readings */
  struct search home;       /* from one cluster */
  ARRAY(struct cluster *) homes, numbers; /* what find_homes found; sweeps of single numbers */
  const struct value *led_home;           /* the reading that led find_homes or find_sibling to what they found */
  int offered, visiting;    /* stamps of a cluster's scratch.offered and scratch.visited */
  struct memo_table priced; /* cluster_share.c: the values whose price was added */
  struct slot *first_slot, *last_slot; /* the order of clusters; see cluster_graph.c */
  int moving, climbing;     /* stamps of a cluster's scratch.moved and scratch.climbed */
  ARRAY(struct cluster *) moves;
  ARRAY(struct slot *) slots;
  ARRAY(const struct cluster *) climbed;
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

/* The iteration space of a root, ordered, and what is reduced in it. */
void space_of(struct scheduler *scheduler, const struct value *value, struct cluster *cluster);
/* Reduced along the innermost axes, so that a row is read from its beginning to its end. */
bool reduces_rows(const struct cluster *cluster);
/* Reduced to single numbers. */
bool is_total(const struct cluster *cluster);
/* Whether the value has the axes of the space without those reduced. */
bool is_rest(const struct cluster *cluster, const struct value *value);
/* Why a root whose space is `own` does not fit the cluster's, or, with the readings of the present root, may not be computed in it:
   the latter after search_readings. REFUSAL_NONE: it does, and may. */
enum refusal_reason why_unsuited(const struct cluster *cluster, const struct value *value, const struct cluster *own);
enum refusal_reason why_illegal(struct former *former, const struct cluster *cluster, const struct cluster *own);
/* Begins former->below from the present readings. Until clusters change, that is. */
void search_readings(struct former *former);
/* Puts the root whose readings are the present ones into a cluster, and says why: `by` is what the reason speaks of, or NULL. */
void join(struct former *former, struct cluster *cluster, const struct value *value, const struct cluster *own,
          enum join_reason why, const struct value *by);
/* Puts a root into the best cluster there is, or a new one. */
void assign_root(struct former *former, const struct value *value);

/* --- cluster_graph.c -------------------------------------------------------------------------------------------------------- */

/* The one that a cluster was joined to, in the end. */
struct cluster *representative(struct cluster *cluster);
/* A cluster for which nothing is known yet, in the order right before another, or last. */
struct cluster *cluster_new(struct former *former, enum cluster_kind kind, struct cluster *before);
/* Which of the two comes first in the order; `y` may be NULL. */
struct cluster *cluster_earlier(struct cluster *x, struct cluster *y);
void add_need(struct former *former, struct cluster *cluster, struct cluster *need);
/* Tells the searches of a cluster's needs from number `first` on. */
void cluster_settle(struct cluster *cluster, int first);
/* `from` becomes part of `into`; neither needs the other. */
void merge_clusters(struct former *former, struct cluster *into, struct cluster *from);
/* Searches end when clusters change: they are begun anew. */
void search_begin(struct search *search);
void search_from(struct former *former, struct search *search, struct cluster *cluster);
/* Whether one of the clusters that the search is from needs `target`, directly or not; or is it. */
bool search_needs(struct former *former, struct search *search, const struct cluster *target);
bool search_meets(struct former *former, struct search *search, const struct cluster *target);

/* --- cluster_share.c, cluster_order.c, reuse.c --------------------------------------------------------------------------------- */

void materialise_shared(struct former *former);
/* Before there are clusters: values that would make expressions too deep, and in deep graphs those that several others compute with, if they
   are worth keeping. Whether there were any. */
bool materialise_early(struct former *former);
/* Reductions that another cluster reads need memory; the others stay in registers. */
void materialise_reductions(struct former *former);
/* cluster->position, in an order in which they can run. */
void number_positions(struct former *former);
/* The clusters in such an order. */
void sort_clusters(struct former *former);
void order_updates(struct former *former);
/* Elementwise results take the memory of operands that die with them. */
void reuse_operands(struct former *former);

#endif
