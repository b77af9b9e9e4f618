/* Declarations shared by the files that form clusters:
     fuse.c           finds the roots and what they read, and does all steps in order
     cluster.c        joins roots
     cluster_graph.c  knows which cluster needs which
     cluster_share.c  materialises values that several clusters would compute
     cluster_order.c  puts clusters in order, and decides which updates are in place
     cluster_end.c    joins sweeps to the contractions that they go on from
     cluster_stream.c finds clusters that one kernel computes block by block
     reuse.c          puts results in the place of operands that are not read afterwards */
#ifndef PASSES_FUSE_H
#define PASSES_FUSE_H

#include "passes/schedule.h"

/* A value that an expression reads, a root or memory; `shifted` where it is read at other coordinates than the
   expression's own. */
struct reading {
  const struct value *value;
  bool shifted;
};

struct readings {
  ARRAY(struct reading) items;
  int *seen; /* by value id: stamp * 2 + shifted */
  int stamp;
};

/* A walk from some clusters down to what they need. Each question continues it as far as the answer requires. */
struct search {
  int number, stamp; /* number: which of seen and found in a cluster's scratch it uses */
  ARRAY(struct cluster *) heap; /* clusters that were seen and whose needs were not yet */
  struct cluster *latest;       /* the latest of the clusters that it began from */
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
/* Whether the value is looked through. Concats and pads compute something, and are not. */
bool is_view(const struct value *value);
bool is_leaf(const struct value *value);
/* Whether the value is computed from others: neither a leaf nor a mere view. */
bool is_computed(const struct value *value);
/* Whether expressions end at the value, since it is a root or lies in memory. */
bool stops_here(struct scheduler *scheduler, const struct value *value);
/* Lists in former->readings all that a root reads in order to be computed. */
void read_root(struct former *former, const struct value *root);

/* --- cluster.c -------------------------------------------------------------------------------------------------------------- */

/* Sets the cluster's space and reduced axes to those of one root: the axes that it runs over, in order, and those that
   it sums along. */
void space_of(struct scheduler *scheduler, const struct value *value, struct cluster *cluster);
/* Whether the cluster reduces along the innermost axes, so that a row is read from its beginning to its end. */
bool reduces_rows(const struct cluster *cluster);
/* Whether the cluster reduces everything to single numbers. */
bool is_total(const struct cluster *cluster);
/* Whether the value has the axes of the space without those reduced. */
bool is_rest(const struct cluster *cluster, const struct value *value);
/* Why a root whose space is `own` does not suit the cluster, or, by the readings of the present root, may not be
   computed in it. REFUSAL_NONE means that it does, and may. why_illegal must be called after search_readings. */
enum refusal_reason why_unsuited(const struct cluster *cluster, const struct value *value, const struct cluster *own);
enum refusal_reason why_illegal(struct former *former, const struct cluster *cluster, const struct cluster *own);
/* Begins the search former->below from the present readings; it is valid until clusters change. */
void search_readings(struct former *former);
/* Puts the root whose readings are the present ones into a cluster, with the reason. `by` is the value that the reason
   mentions, or NULL. */
void join(struct former *former, struct cluster *cluster, const struct value *value, const struct cluster *own,
          enum join_reason why, const struct value *by);
/* Puts a root into the best cluster there is, or a new one. */
void assign_root(struct former *former, const struct value *value);

/* --- cluster_graph.c -------------------------------------------------------------------------------------------------------- */

/* The cluster that this one has been merged into, directly or not, or itself. */
struct cluster *representative(struct cluster *cluster);
/* A new cluster without needs, right before another in the order, or last where `before` is NULL. */
struct cluster *cluster_new(struct former *former, enum cluster_kind kind, struct cluster *before);
/* Which of the two comes first in the order; `y` may be NULL. */
struct cluster *cluster_earlier(struct cluster *x, struct cluster *y);
void add_need(struct former *former, struct cluster *cluster, struct cluster *need);
/* Makes the cluster's needs from number `first` on known to searches. */
void cluster_settle(struct cluster *cluster, int first);
/* Merges `from` into `into`; neither may need the other. */
void merge_clusters(struct former *former, struct cluster *into, struct cluster *from);
/* Begins a search. A search is no longer valid once clusters change. */
void search_begin(struct search *search);
void search_from(struct former *former, struct search *search, struct cluster *cluster);
/* search_needs: whether one of the clusters that the search began from needs `target`, directly or not. search_meets:
   the same, or whether `target` is one of them. */
bool search_needs(struct former *former, struct search *search, const struct cluster *target);
bool search_meets(struct former *former, struct search *search, const struct cluster *target);

/* --- cluster_share.c, cluster_order.c, reuse.c --------------------------------------------------------------------------------- */

void materialise_shared(struct former *former);
/* Before there are clusters, materialises values that would make expressions too deep and, in deep graphs, those that
   are worth storing because several others are computed from them. Returns whether there were any. */
bool materialise_early(struct former *former);
/* Materialises reductions that another cluster reads; all others stay in registers. */
void materialise_reductions(struct former *former);
/* Sets cluster->position, in an order in which the clusters can run. */
void number_positions(struct former *former);
/* Sorts the clusters into such an order. */
void sort_clusters(struct former *former);
void order_updates(struct former *former);
/* cluster_end.c: joins sweeps to the contractions that they go on from. */
void join_endings(struct former *former);
/* cluster_stream.c: finds the clusters that are computed block by block. */
void find_streams(struct former *former);
/* Elementwise results take the memory of operands that are not read afterwards. */
void reuse_operands(struct former *former);

/* Whether the value is the rounding to 16 bits of a contraction's sums that nothing else reads: the contraction's own kernel stores it,
   and the sums in float32 are no memory. */
bool rounds_sums(const struct scheduler *s, const struct value *value);

#endif
