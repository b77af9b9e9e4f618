#include "driver/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { EXACT_MOST = 200, PAIRS_FROM = 400 /* differences for pairwise means at most */ };

static int ascending(const void *x, const void *y) {
  double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

static double *sorted(struct arena *arena, const double *x, int count) {
  double *copy = arena_new_array(arena, double, count);
  for (int i = 0; i < count; i++) copy[i] = x[i];
  if (count > 0) qsort(copy, (size_t)count, sizeof *copy, ascending);
  return copy;
}

static double middle_of(const double *sorted, int count) {
  if (count == 0) return 0;
  return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double median_of(struct arena *arena, const double *x, int count) { return middle_of(sorted(arena, x, count), count); }

struct interval median_interval(struct arena *arena, const double *x, int count, double level) {
  const double *order = sorted(arena, x, count);
  if (count == 0) return (struct interval){0};
  /* How many lie below the median is binomial. Drop so many at each end that the rest still has the probability. */
  double left = 0;
  int drop = 0;
  for (; drop < count / 2; drop++) {
    left += exp(lgamma(count + 1) - lgamma(drop + 1) - lgamma(count - drop + 1) - count * log(2));
    if (2 * left > 1 - level) break;
  }
  drop = drop > 0 ? drop - 1 : 0;
  return (struct interval){order[drop], middle_of(order, count), order[count - 1 - drop]};
}

struct ranked {
  double size;
  bool positive;
  int rank; /* twice the mean of the ranks that equal sizes share */
};

static int by_size(const void *x, const void *y) {
  const struct ranked *a = x, *b = y;
  return (a->size > b->size) - (a->size < b->size);
}

double signed_rank(struct arena *arena, const double *differences, int count, double middle) {
  struct ranked *items = arena_new_array(arena, struct ranked, count);
  int n = 0, sum = 0, observed = 0;
  for (int i = 0; i < count; i++) {
    double difference = differences[i] - middle;
    if (difference != 0) items[n++] = (struct ranked){fabs(difference), difference > 0, 0};
  }
  if (n == 0) return 1;
  qsort(items, (size_t)n, sizeof *items, by_size);
  double variance = 0;
  for (int i = 0; i < n;) {
    int end = i + 1;
    while (end < n && items[end].size == items[i].size) end++;
    for (int j = i; j < end; j++) {
      items[j].rank = i + 1 + end;
      sum += items[j].rank;
      variance += (double)items[j].rank * items[j].rank / 4;
      if (items[j].positive) observed += items[j].rank;
    }
    i = end;
  }
  if (n > EXACT_MOST) {
    double deviation = (observed - 1 - sum / 2.0) / sqrt(variance); /* half of a rank, doubled, for continuity */
    return 0.5 * erfc(deviation / sqrt(2));
  }
  /* Of all choices of signs, the share of each sum of positive ranks. */
  double *share = arena_new_array(arena, double, sum + 1), tail = 0;
  share[0] = 1;
  int reached = 0;
  for (int i = 0; i < n; i++) {
    reached += items[i].rank;
    for (int s = reached; s >= 0; s--) share[s] = (share[s] + (s >= items[i].rank ? share[s - items[i].rank] : 0)) / 2;
  }
  for (int s = observed; s <= sum; s++) tail += share[s];
  return tail < 1 ? tail : 1;
}

struct interval shift_interval(const double *differences, int count, double level) {
  if (count == 0) return (struct interval){0};
  struct arena *own = arena_new();
  int stride = (count + PAIRS_FROM - 1) / PAIRS_FROM, kept = (count + stride - 1) / stride, pairs = 0;
  double *means = arena_new_array(own, double, kept *(kept + 1) / 2);
  for (int i = 0; i < count; i += stride)
    for (int j = 0; j <= i; j += stride) means[pairs++] = (differences[i] + differences[j]) / 2;
  qsort(means, (size_t)pairs, sizeof *means, ascending);
  struct interval interval = {means[0], middle_of(means, pairs), means[pairs - 1]};
  /* Bounds that the test just rejects, by halving the ordered means. */
  for (int side = 0; side < 2; side++) {
    int inside = pairs / 2, outside = side ? pairs : -1;
    while (abs(outside - inside) > 1) {
      int at = (inside + outside) / 2;
      double probability = 0;
      if (side) {
        double *negated = arena_new_array(own, double, count);
        for (int i = 0; i < count; i++) negated[i] = -differences[i];
        probability = signed_rank(own, negated, count, -means[at]);
      } else {
        probability = signed_rank(own, differences, count, means[at]);
      }
      if (probability <= (1 - level) / 2)
        outside = at;
      else
        inside = at;
    }
    if (side)
      interval.high = means[inside];
    else
      interval.low = means[inside];
  }
  arena_free(own);
  return interval;
}

double difference_probability(struct arena *arena, const double *differences, int count, double margin) {
  double *negated = arena_new_array(arena, double, count);
  for (int i = 0; i < count; i++) negated[i] = -differences[i];
  double above = signed_rank(arena, differences, count, margin), below = signed_rank(arena, negated, count, margin);
  double probability = 2 * (above < below ? above : below);
  return probability < 1 ? probability : 1;
}

void holm_correct(struct arena *arena, double *probabilities, int count) {
  const double *order = sorted(arena, probabilities, count);
  double *corrected = arena_new_array(arena, double, count), least = 0;
  for (int i = 0; i < count; i++) {
    double own = order[i] * (count - i);
    if (own > least) least = own;
    corrected[i] = least < 1 ? least : 1;
  }
  for (int i = 0; i < count; i++)
    for (int j = 0; j < count; j++)
      if (order[j] ==
          probabilities[i]) { /* the first of equals: the smallest correction is that of all of them at the most */
        probabilities[i] = corrected[j];
        break;
      }
}
