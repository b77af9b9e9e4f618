/* A contraction on its way to loops: shared by the files that choose (schedule_contract.c), begin (contract_begin.c), pack
   (contract_pack.c) and multiply (contract_tile.c, contract_dot.c). */
#ifndef PASSES_CONTRACT_H
#define PASSES_CONTRACT_H

#include "ir/target.h"
#include "passes/stream.h"

enum {
  PARALLEL_FLOPS = 1 << 21, /* below this, one thread does it */
  FEW_ROWS = 4 /* with fewer rows, packing b costs as much as multiplying by it */
};

/* One dimension of the iteration space: axes merged, with the strides along it. */
struct dimension {
  const struct axis *axis; /* for its name, and its length when it has a run-time size */
  int64_t extent;
  int64_t a, b, c, initial;
  const struct axis *axes[MAX_AXES]; /* those that were merged, outermost first */
  int axis_count;
  const struct stream *stream; /* that its axes are parts of, or NULL */
};

struct group {
  struct dimension items[MAX_AXES];
  int count;
};

enum packing { PACK_NOT, PACK_TASK, PACK_BUFFER };

struct contraction {
  struct scheduler *s;
  const struct value *value;
  const struct value *a_value, *b_value;
  const struct value *named; /* the addition that begins the contraction, or the contraction itself */
  const struct cluster *cluster; /* what the kernel computes, or NULL: that value alone */
  bool ends; /* the kernel goes on from its sums: see contract_end.c */
  bool sums_pass; /* only the kernel itself reads the sums: they lie on its stack, tile by tile */
  struct place a, b, c;
  bool a_computed,
      b_computed; /* the operand is no memory: it is computed where it is copied (contract_pack.c) or read (contract_dot.c) */
  /* Along so many elements of k what b is computed of varies in the widest of its operands alone: a group of weights has one scale. The
     whole of k where it is not computed */
  int64_t run;
  bool in_words; /* what b is computed of lies in words along k: see derive.h */
  bool a_copied; /* the rows of a tile are copied before they are multiplied: they are computed, or narrow in memory */
  /* Tiles sum by dots of `group` products of elements stored as `a_storage` and `b_storage`; 1: by multiply-adds. Both operands then
     have the elements of a group side by side: a where it lies so, else in a copy (contract_pack.c); b in its panels. */
  int group;
  enum dot dot; /* where the group has several products */
  /* The target multiplies whole tiles by such dots (STATEMENT_MULTIPLY). A's rows then lie along k, where they are or in a copy; k need not
     be whole groups, and b's panels have zeros behind it. */
  bool matrix;
  enum storage a_storage, b_storage;
  struct buffer *a_packed;
  /* Where the target multiplies only numbers with a sign by such without, a's copy holds a + offset, and the sums are too large by
     offset * (the sum of b's column), modulo 2^32: the excess of the column, which is computed when b is packed. */
  int offset;
  struct buffer *excess; /* of all panels of all pieces of k, where b is packed by a kernel of its own */
  struct place initial; /* what the sum begins from; no buffer: zero */
  struct group batch, m, n, k; /* outermost first */
  struct dimension row, column, depth; /* what tiles run over; all other dimensions are loops around */
  int rows, vectors, width;
  bool by_columns; /* few rows are multiplied as contract_columns.c says */
  enum packing packing;
  struct buffer *packed;
  bool widened; /* a packed b is narrow, and tasks make reals of its panels first, since many tiles go by them */
  struct bitmap *bitmap; /* of b, which is pruned; NULL: it is read where it lies. See contract_bitmap.c */
  int64_t k_piece;
  int64_t panels, tiles, tail_columns, tail_rows; /* when the extents are constants */
  int64_t block_panels, block_tiles, blocks_n, blocks_m;
};

/* Where a kernel is in its operands. Axes of batch, m and n that tiles do not run over are loops around: one task
   number stands for those of constant length and is taken apart; the others are serial loops. Each coordinate is added
   to the offsets. */
struct position {
  struct array *a, *b, *c, *initial, *excess;
  struct linear a_at, b_at, c_at, initial_at, excess_at;
  struct linear sums_at; /* where sums that pass begin in the array that holds them */
  int64_t b_step; /* between k and k + 1 */
  int64_t panel_stride; /* between panels */
  const struct expression *depth;
  struct linear k_first; /* where the piece of k begins */
  int64_t depth_bound; /* the most of `depth` */
  const struct expression *added; /* where it is not 0, the sum goes on from what c holds */
  bool begins; /* the sum begins with what `initial` holds */
  int64_t initial_row;
  struct coordinates coordinates; /* of the loops around, by axis */
};

/* Sets the coordinates of the dimension's axes at a place along it. */
void contract_set_coordinates(struct arena *arena, const struct dimension *dimension, struct linear at,
                              struct coordinates *coordinates);
/* How many tasks the loops around make, those of constant length. */
int64_t contract_tasks(const struct contraction *x);
/* Sets the offsets for `task`, and opens loops for axes of run-time length. */
void contract_around(struct kernel *k, const struct contraction *x, struct linear task, struct position *at);
/* The kernel with its pointers bound, and offsets of 0. */
struct kernel *contract_kernel(struct contraction *x, struct position *at);
void contract_add_offsets(struct arena *arena, const struct dimension *dimension, struct linear at,
                          struct position *position);
const struct expression *contract_extent(struct kernel *k, const struct dimension *dimension);
/* The dimension's usual length: see axis_usual. */
double contract_usual(const struct dimension *dimension);
/* Of the sums: real or integer. */
enum type contract_type(const struct contraction *x);
int64_t divide_up(int64_t x, int64_t y);
/* How much of k a panel of b has for so much of it: whole groups. */
int64_t contract_padded(const struct contraction *x, int64_t depth);

/* Element (step, column) of b: from memory, or computed. */
const struct expression *contract_element_of_b(struct kernel *k, const struct contraction *x, const struct position *at,
                                               struct linear step, struct linear column);
/* Panels [first, first + count) of one k piece, which begins at `k_first`, from b to `to`, each `depth_bound` rows long; the
   last panel of b may be narrower. Their columns' excess goes to `excess`, where that is not NULL. */
void pack_panels(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
                 struct array *excess, struct linear first, const struct expression *count, int64_t bound,
                 struct linear k_first, const struct expression *depth, int64_t depth_bound);
/* Computes rows [row, row + rows) of a, `bound` of them at most, for one k piece, into `to` [rows, depth_bound]. */
void pack_rows(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
               struct linear row, const struct expression *rows, int64_t bound, struct linear k_first,
               const struct expression *depth, int64_t depth_bound);
/* Whether the contraction goes by tiles in the kernel of the stream at hand, by memory that lies where it will. */
bool contract_can_stream(struct scheduler *scheduler, const struct value *value, const struct cluster *cluster);
/* Whether the contraction, which goes so, can leave out what a block does not need of the axis: a sum's last terms, columns or rows. */
bool contract_can_clip(struct scheduler *scheduler, const struct value *value, const struct cluster *cluster,
                       const struct axis *axis);
/* A group of elements of a, each of which is the offset. */
struct array *contract_offsets(struct kernel *k, const struct contraction *x);
/* a packed by a kernel of its own into x->a_packed, [batch, k / group, row, group], or [batch, row, k] for whole tiles; the strides of x
   become those. */
void contract_pack_groups(struct contraction *x);
/* b packed by a kernel of its own into x->packed. */
void contract_pack(struct contraction *x);
/* The product by register tiles. */
void contract_tiles(struct contraction *x);
/* The product for the rows [row, row + rows), fewer than FEW_ROWS, and the columns of the n block number `block`. */
void contract_columns(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row,
                      const struct expression *rows, struct linear block);
/* How many columns a task of it should have: whole panels. */
int64_t contract_columns_of_task(const struct contraction *x);
/* Whether the kernel can compute the cluster's other values from its sums, element by element (contract_end.c). */
bool contract_can_end(const struct contraction *x);
/* Computes and stores those values for the rows [row, row + rows) and the columns from `column` on: `columns` of them where
   that is not NULL, else the width of a panel. */
void contract_end(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row, int rows,
                  struct linear column, const struct expression *columns);
/* Decides whether b, for sums along k, is read as a bitmap, and if so makes the kernel that packs it; and says why (note->bitmap). */
void contract_choose_bitmap(struct contraction *x);
/* Where b is pruned: says why it is read whole all the same. */
void contract_tell_whole(struct contraction *x, enum bitmap_reason why);
/* Writes the row of b that `at` is at to an array of the kernel, which is b in the position from then on. */
void contract_expand(struct kernel *k, const struct contraction *x, struct position *at);
/* The product as sums along k, for few rows where k is contiguous in both operands: decoding. */
void contract_dot(struct contraction *x);

#endif
