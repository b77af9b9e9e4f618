/* What a mask leaves out of a stream. Under a causal mask the rows of a block need no scores behind the last of them: there the exponentials
   are 0, whatever the scores are. Where that is so of everything in a stream, its loops end there.

   What is left out is not multiplied by 0, so an infinity there does not become NaN; of finite numbers all results are the same to the
   bit, since sums of which the last terms are 0 end before them. */
#include <math.h>

#include "ir/interpret.h"
#include "passes/contract.h"

/* What a value is wherever the clipped axis is past the blocked one, if that is one number. */
struct known {
  bool is_known;
  double number;
};
static const struct known any;

struct clip {
  struct scheduler *s;
  const struct stream *stream;
  const struct axis *axis;
  int budget; /* of steps, since values that are shared are looked at once for each reader */
};

/* The axis that an integer is the coordinate of, or NULL. */
static const struct axis *coordinate_of(const struct value *value) {
  if (value->op == OP_index) return value->axis;
  if (value->op == OP_expand || value->op == OP_stop) return coordinate_of(value->inputs[0]);
  if (value->op != OP_rename) return NULL;
  const struct axis *axis = coordinate_of(value->inputs[0]);
  return axis == value->axis ? value->result : axis;
}

/* Whether the value is how far the clipped axis is past the blocked one, or with `sign` -1 the other way round. */
static bool is_distance(const struct clip *c, const struct value *value, int *sign) {
  if (value->op != OP_sub) return false;
  const struct axis *x = coordinate_of(value->inputs[0]), *y = coordinate_of(value->inputs[1]);
  *sign = x == c->axis ? 1 : -1;
  return (x == c->axis && y == c->stream->blocked) || (y == c->axis && x == c->stream->blocked);
}

/* The values of an operand for the least distance, which is 1, and for one that is as good as infinite. */
static bool ends_of(const struct clip *c, const struct value *value, double ends[2]) {
  int sign = 0;
  const bool distance = is_distance(c, value, &sign);
  for (int i = 0; i < 2; i++) ends[i] = distance ? sign * (i ? HUGE_VAL : 1) : value->number;
  return distance || value->op == OP_constant;
}

/* What a comparison gives there, if it is the same for all distances. */
static struct known compared(const struct clip *c, const struct value *value) {
  const struct axis *of_x = coordinate_of(value->inputs[0]), *of_y = coordinate_of(value->inputs[1]);
  double x[2] = {1, HUGE_VAL}, y[2] = {0};
  if (of_y == c->axis && of_x == c->stream->blocked)
    for (int i = 0; i < 2; i++) y[i] = x[i], x[i] = 0;
  else if ((of_x != c->axis || of_y != c->stream->blocked) &&
           (!ends_of(c, value->inputs[0], x) || !ends_of(c, value->inputs[1], y)))
    return any;
  const double nearest = scalar_apply(value->op, KIND_BOOLEAN, x[0], y[0], 0),
               farthest = scalar_apply(value->op, KIND_BOOLEAN, x[1], y[1], 0);
  /* Two numbers that change places are equal in between. */
  const bool between = (value->op == OP_eq || value->op == OP_ne) && (x[0] < y[0]) != (x[1] < y[1]);
  return nearest == farthest && !between ? (struct known){true, nearest} : any;
}

static bool is_number(struct known x, double number) { return x.is_known && x.number == number; }

/* The result for operands of which one is unknown, but finite. */
static struct known absorbed(enum op op, const struct known *x) {
  const struct known other = x[0].is_known ? x[0] : x[1];
  switch (op) {
    case OP_mul:
      return is_number(other, 0) ? other : any;
    case OP_div:
      return is_number(x[0], 0) ? x[0] : any;
    case OP_add:
      return other.is_known && isinf(other.number) ? other : any;
    case OP_sub:
      return x[0].is_known && isinf(x[0].number) ? x[0] : any;
    case OP_and:
      return is_number(other, 0) ? other : any;
    case OP_or:
      return is_number(other, 1) ? other : any;
    default:
      return any;
  }
}

static struct known known_of(struct clip *c, const struct value *value) {
  if (c->budget-- <= 0) return any;
  if (value->op == OP_constant) return (struct known){true, value->number};
  if (op_facts[value->op].class == CLASS_COMPARE && compared(c, value).is_known) return compared(c, value);
  if (value->op == OP_rename || value->op == OP_expand || value->op == OP_stop || value->op == OP_cast) {
    const bool moves =
        value->op == OP_rename && (value->axis == c->axis || value->result == c->axis ||
                                   value->axis == c->stream->blocked || value->result == c->stream->blocked);
    const struct known x = moves ? any : known_of(c, value->inputs[0]);
    return value->op != OP_cast || is_number(x, 0) ? x : any; /* other numbers may be rounded */
  }
  if (!op_is_elementwise(value->op) || value->input_count > 3) return any;
  struct known x[3] = {{0}};
  bool all = true;
  for (int i = 0; i < value->input_count; i++) x[i] = known_of(c, value->inputs[i]), all = all && x[i].is_known;
  if (value->op == OP_where) {
    if (x[0].is_known) return x[0].number != 0 ? x[1] : x[2];
    return x[1].is_known && is_number(x[2], x[1].number) ? x[1] : any;
  }
  if (!all) return value->input_count == 2 ? absorbed(value->op, x) : any;
  return (struct known){true, scalar_apply(value->op, value->kind, x[0].number, x[1].number, x[2].number)};
}

static bool becomes(struct clip *c, const struct value *value, double number) {
  c->budget = 1 << 12;
  return is_number(known_of(c, value), number);
}

static bool is_in_block(const struct clip *c, const struct value *value) {
  const struct place *place = note_of(c->s, value)->place;
  return place && place->in_block;
}

/* Whether a value of the block is read along another axis than it has there, of which nobody knows where it ends. */
static bool reads_moved(const struct clip *c, const struct value *value, bool moved) {
  if (note_of(c->s, value)->place) return moved && is_in_block(c, value);
  const struct axis *const axes[] = {c->axis, c->stream->blocked};
  for (int i = 0; i < 2; i++)
    moved =
        moved || (op_facts[value->op].class == CLASS_VIEW && (value->axis == axes[i] || value->result == axes[i] ||
                                                              axis_listed(value->list, value->list_count, axes[i])));
  for (int i = 0; i < value->input_count; i++)
    if (reads_moved(c, value->inputs[i], moved)) return true;
  return false;
}

/* Sums of products end early where one factor is 0. What has the axis itself is either read by the stream alone, or summed over all blocks. */
static bool suits_contraction(struct clip *c, const struct cluster *cluster) {
  const struct value *first = cluster->values.items[0], *product = product_of(c->s, first);
  const bool sums = axis_listed(product->list, product->list_count, c->axis), has = value_has_axis(product, c->axis);
  if (!sums && !has) return true;
  if (!contract_can_clip(c->s, first, cluster, c->axis)) return false;
  bool kept = true; /* what goes on from the product is read by the stream alone */
  for (int i = 0; i < cluster->values.count; i++) kept = kept && is_in_block(c, cluster->values.items[i]);
  if (has && kept) return true;
  if (has && !stream_adds(c->stream, product)) return false;
  return becomes(c, product->inputs[0], 0) || becomes(c, product->inputs[1], 0);
}

static bool suits_sweep(struct clip *c, const struct cluster *cluster) {
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    const bool sums = value->op == OP_reduce_sum, reduces = is_reduction(value);
    if (reduces && !axis_listed(value->list, value->list_count, c->axis)) return false;
    if (reduces && !becomes(c, value->inputs[0], sums ? 0 : -(double)INFINITY)) return false;
    if (!reduces && value_has_axis(value, c->axis) && note_of(c->s, value)->place && !is_in_block(c, value))
      return false;
  }
  return true;
}

static bool suits(struct clip *c, const struct cluster *cluster) {
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i], *product = product_of(c->s, value);
    for (int j = 0; j < value->input_count; j++)
      if (value->inputs[j] != product && reads_moved(c, value->inputs[j], false)) return false;
    for (int j = 0; j < product->input_count; j++)
      if (reads_moved(c, product->inputs[j], false)) return false;
  }
  return cluster->kind == CLUSTER_CONTRACT ? suits_contraction(c, cluster) : suits_sweep(c, cluster);
}

/* The one axis that sweeps of the stream reduce; NULL where they reduce several. */
static const struct axis *reduced_axis(const struct stream *stream) {
  const struct axis *axis = NULL;
  for (int i = 0; i < stream->clusters.count; i++) {
    const struct cluster *cluster = stream->clusters.items[i];
    if (cluster->kind != CLUSTER_SWEEP || !cluster->reduced_count) continue;
    if (cluster->reduced_count > 1 || (axis && axis != cluster->reduced[0])) return NULL;
    axis = cluster->reduced[0];
  }
  return axis;
}

void stream_clip(struct scheduler *s, struct stream *stream) {
  const struct axis *axis = reduced_axis(stream);
  struct clip clip = {.s = s, .stream = stream, .axis = axis}, *c = &clip;
  if (!axis || axis->extent != stream->blocked->extent || stream->rows == axis->extent) return;
  /* Sums go by groups of vectors, whose order must be that of the whole row. */
  if (stream->rows % (SUM_LANES * sum_unroll(axis->extent))) return;
  s->stream = stream;
  bool all = true;
  for (int i = 0; i < stream->clusters.count; i++) all = all && suits(c, stream->clusters.items[i]);
  s->stream = NULL;
  if (all) stream->clipped = axis;
}
