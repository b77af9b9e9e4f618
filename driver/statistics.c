#include "driver/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { EXACT_MOST = 200, PAIRS_FROM = 400 /* the most differences for pairwise means */ };

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
  /* The number of values below the median is binomial. As many are dropped at each end as leave an interval of the
     probability `level`. */
  double left = 0;
  int drop = 0;
  for (; drop < count / 2; drop++) {
    left += exp(lgamma(count + 1) - lgamma(drop + 1) - lgamma(count - drop + 1) - count * log(2));
    if (2 * left > 1 - level) break;
  }
  drop = drop > 0 ? drop - 1 : 0;
  return (struct interval){order[drop], middle_of(order, count), order[count - 1 - drop]};
}

struct interval mean_interval(const double *x, int count) {
  /* The 97.5% points of Student's distribution by degrees of freedom. */
  static const double student[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                   2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                   2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045};
  double sum = 0, squares = 0;
  for (int i = 0; i < count; i++) sum += x[i];
  double mean = count ? sum / count : 0;
  for (int i = 0; i < count; i++) squares += (x[i] - mean) * (x[i] - mean);
  double reach = count > 1 ? student[count - 2] * sqrt(squares / (count - 1) / count) : 0;
  return (struct interval){mean - reach, mean, mean + reach};
}

struct ranked {
  double size;
  bool positive;
  int rank; /* doubled; equal sizes share the mean of their ranks */
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
    double deviation = (observed - 1 - sum / 2.0) / sqrt(variance); /* continuity: half of a rank, doubled */
    return 0.5 * erfc(deviation / sqrt(2));
  }
  /* share[s] is the share of all choices of signs for which the positive ranks have the sum s. */
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

static struct sample negated(struct arena *arena, struct sample sample) {
  double *items = arena_new_array(arena, double, sample.count), *others = NULL;
  for (int i = 0; i < sample.count; i++) items[i] = -sample.items[i];
  if (sample.others) others = arena_new_array(arena, double, sample.other_count);
  for (int i = 0; i < sample.other_count; i++) others[i] = -sample.others[i];
  return (struct sample){items, others, sample.count, sample.other_count};
}

double rank_sum(struct sample sample, double middle) {
  if (sample.count == 0 || sample.other_count == 0) return 1;
  struct arena *arena = arena_new();
  if (sample.count > sample.other_count) { /* how low the smaller sample ranks among all is the same question */
    struct sample mirrored = negated(arena, sample);
    sample = (struct sample){mirrored.others, mirrored.items, mirrored.other_count, mirrored.count};
  }
  int n = sample.count, all = n + sample.other_count, observed = 0, reached = 0;
  struct ranked *items = arena_new_array(arena, struct ranked, all);
  for (int i = 0; i < all; i++)
    items[i] = (struct ranked){i < n ? sample.items[i] - middle : sample.others[i - n], i < n, 0};
  qsort(items, (size_t)all, sizeof *items, by_size);
  /* choices[k][s] is how many choices of k among those seen so far have ranks of the sum s. */
  int most = n * 2 * all;
  double *choices = arena_new_array(arena, double, (n + 1) * (most + 1)), total = 0, tail = 0;
  choices[0] = 1;
  for (int i = 0; i < all;) {
    int end = i + 1;
    while (end < all && items[end].size == items[i].size) end++;
    for (int j = i; j < end; j++) {
      int rank = i + 1 + end;
      if (items[j].positive) observed += rank;
      reached = reached + rank < most ? reached + rank : most;
      for (int k = n; k > 0; k--)
        for (int s = reached; s >= rank; s--) choices[k * (most + 1) + s] += choices[(k - 1) * (most + 1) + s - rank];
    }
    i = end;
  }
  for (int s = 0; s <= most; s++) {
    total += choices[n * (most + 1) + s];
    if (s >= observed) tail += choices[n * (most + 1) + s];
  }
  arena_free(arena);
  return tail / total;
}

int small_sample(int count, double level) {
  double ways = 1;
  int small = 0;
  while (2 / ways > level && small < count) {
    small++;
    ways *= (double)(count + small) / small;
  }
  return small;
}

static double above(struct arena *arena, struct sample sample, double middle) {
  return sample.others ? rank_sum(sample, middle) : signed_rank(arena, sample.items, sample.count, middle);
}

/* Estimates of the difference, sorted: the means of pairs of differences, or the differences of pairs. */
static double *estimates(struct arena *arena, struct sample sample, int *count) {
  int stride = (sample.count + PAIRS_FROM - 1) / PAIRS_FROM, kept = (sample.count + stride - 1) / stride;
  int partners = sample.others ? sample.other_count : kept, pairs = 0;
  double *means = arena_new_array(arena, double, kept *(partners + 1));
  for (int i = 0; i < sample.count; i += stride) {
    for (int j = 0; j < sample.other_count; j++) means[pairs++] = sample.items[i] - sample.others[j];
    for (int j = 0; !sample.others && j <= i; j += stride) means[pairs++] = (sample.items[i] + sample.items[j]) / 2;
  }
  qsort(means, (size_t)pairs, sizeof *means, ascending);
  *count = pairs;
  return means;
}

struct interval shift_interval(struct sample sample, double level) {
  if (sample.count == 0 || (sample.others && sample.other_count == 0)) return (struct interval){0};
  struct arena *own = arena_new();
  int pairs;
  const double *means = estimates(own, sample, &pairs);
  struct interval interval = {means[0], middle_of(means, pairs), means[pairs - 1]};
  struct sample mirrored = negated(own, sample);
  /* Finds the last estimates that the test does not reject, by bisection of the sorted ones. */
  for (int side = 0; side < 2; side++) {
    int inside = pairs / 2, outside = side ? pairs : -1;
    while (abs(outside - inside) > 1) {
      int at = (inside + outside) / 2;
      double probability = side ? above(own, mirrored, -means[at]) : above(own, sample, means[at]);
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

double difference_probability(struct sample sample, double margin) {
  struct arena *arena = arena_new();
  double higher = above(arena, sample, margin), lower = above(arena, negated(arena, sample), margin);
  double probability = 2 * (higher < lower ? higher : lower);
  arena_free(arena);
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
          probabilities[i]) { /* of equal ones the first has the largest correction, which is for all of them */
        probabilities[i] = corrected[j];
        break;
      }
}
