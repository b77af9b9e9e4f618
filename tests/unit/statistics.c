/* The statistics of lamella compare: known values, and rates of error on samples with heavy tails, drift and correlation. */
#include "driver/statistics.h"
#include "tests/unit/check.h"

static double uniform(void) { return ((double)(check_random() >> 11) + 0.5) / 9007199254740992.0; }
static double normal(void) { return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()); }

static void check_values(struct arena *arena) {
  const double x[] = {5, 1, 4, 2, 3, 9, 7};
  CHECK(median_of(arena, x, 7) == 4 && median_of(arena, x, 4) == 3 && median_of(arena, x, 0) == 0);
  /* 10 numbers: the 2nd and the 9th hold the median with 0.9785 (tables of the sign test). */
  const double ten[] = {10, 1, 9, 2, 8, 3, 7, 4, 6, 5};
  struct interval interval = median_interval(arena, ten, 10, 0.95);
  CHECK(interval.low == 2 && interval.middle == 5.5 && interval.high == 9);
  interval = median_interval(arena, ten, 4, 0.95);
  CHECK(interval.low == 1 && interval.high == 10);
  /* That all n signs are equal has the probability 2^-n. Of the sums of ranks 1 to 5, 14 and 15 are each made in one
     way. */
  const double five[] = {1, 2, 3, 4, 5}, one_off[] = {-1, 2, 3, 4, 5};
  CHECK_NEAR(signed_rank(arena, five, 5, 0), 1.0 / 32, 1e-12);
  CHECK_NEAR(signed_rank(arena, one_off, 5, 0), 2.0 / 32, 1e-12);
  /* Heights of Darwin's plants: R's wilcox.test gives V = 96, p-value = 0.04126, two-sided. */
  const double darwin[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
  CHECK_NEAR(2 * signed_rank(arena, darwin, 15, 0), 0.04126, 1e-5);
  CHECK(signed_rank(arena, (const double[]){0, 0, 0}, 3, 0) == 1);
  /* Ties share ranks: of the 8 sums of 1.5, 1.5 and 3 one has them all. */
  CHECK_NEAR(signed_rank(arena, (const double[]){1, 1, 2}, 3, 0), 1.0 / 8, 1e-12);
  CHECK_NEAR(signed_rank(arena, (const double[]){-1, 1, 2}, 3, 0), 3.0 / 8, 1e-12);
  struct interval shift = shift_interval((struct sample){.items = darwin, .count = 15}, 0.95);
  CHECK(shift.low < shift.middle && shift.middle < shift.high && shift.low > -10 && shift.low < 10 && shift.high > 35 &&
        shift.high < 50);
  CHECK(shift.middle > 20 && shift.middle < 30);
  double p[] = {0.04, 0.01, 0.03, 0.01};
  holm_correct(arena, p, 4);
  CHECK_NEAR(p[1], 0.04, 1e-12);
  CHECK_NEAR(p[3], 0.04, 1e-12);
  CHECK_NEAR(p[2], 0.06, 1e-12);
  CHECK_NEAR(p[0], 0.06, 1e-12);
}

static void check_two_samples(void) {
  /* 3 values above all of 30: one choice of 5456. */
  double high[] = {40.5, 50, 41}, low[30];
  for (int i = 0; i < 30; i++) low[i] = i;
  struct sample sample = {high, low, 3, 30};
  CHECK_NEAR(rank_sum(sample, 0), 1.0 / 5456, 1e-12);
  CHECK_NEAR(difference_probability(sample, 0.01), 2.0 / 5456, 1e-12);
  CHECK(small_sample(30, 0.01 / 6) == 3 && small_sample(15, 0.01 / 6) == 4 && small_sample(30, 1.0) == 1);
  /* R: wilcox.test(c(0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46), c(1.15, 0.88, 0.90, 0.74, 1.21), alternative = "g"):
     W = 35, p-value = 0.1272 (Hollander and Wolfe 1973, p. 69). */
  const double x[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}, y[] = {1.15, 0.88, 0.90, 0.74, 1.21};
  CHECK_NEAR(rank_sum((struct sample){x, y, 10, 5}, 0), 0.1272, 5e-5);
  /* Equal values share ranks: of {1, 1, 2} the pairs sum to 3 once and to 4.5 twice. */
  CHECK_NEAR(rank_sum((struct sample){(const double[]){1, 2}, (const double[]){1}, 2, 1}, 0), 2.0 / 3, 1e-12);
  CHECK(rank_sum((struct sample){x, y, 0, 5}, 0) == 1 && rank_sum((struct sample){x, y, 5, 0}, 0) == 1);
  /* All 30 above the 3: the same probability, from the other side. */
  CHECK_NEAR(rank_sum((struct sample){low, high, 30, 3}, -100), 1.0 / 5456, 1e-12);
  struct interval shift = shift_interval(sample, 0.99);
  /* Of the 90 differences in order, those but 7 at each end: in 23 of 5456 choices no more than 6 pairs are the other way round. */
  CHECK(shift.middle == 29.25 && shift.low == 15 && shift.high == 43);
}

/* For more numbers than those whose sums of ranks are counted, the normal distribution takes over smoothly. */
static void check_large(struct arena *arena) {
  double x[201];
  for (int i = 0; i < 201; i++) x[i] = normal() + 0.15;
  double exact = signed_rank(arena, x, 200, 0), close = signed_rank(arena, x, 201, 0);
  CHECK(fabs(log(exact / close)) < 1);
}

/* The time of a block of steps, with proportional noise and a disturbance now and then, on a machine that slows down
   and recovers. */
enum noise { QUIET, TAILS, DRIFT, NOISES };

static double block(enum noise noise, double *machine) {
  double time = 1;
  if (noise == DRIFT) {
    *machine = 0.95 * *machine + 0.02 * normal();
    time *= exp(*machine);
  }
  double least = INFINITY;
  for (int i = 0; i < 3; i++) {
    double step = time * (1 + 0.005 * fabs(normal()));
    if (noise != QUIET && uniform() < 0.3) step *= 1 + 0.1 / sqrt(uniform()); /* Pareto: no variance */
    if (step < least) least = step;
  }
  return least;
}

/* How many of `tries` comparisons of two programs with this true ratio say that they differ. */
static int rejections(enum noise noise, double ratio, int rounds, int tries) {
  int count = 0;
  for (int i = 0; i < tries; i++) {
    double differences[64], machine = 0;
    for (int j = 0; j < rounds; j++) {
      bool first = check_random() & 1;
      double a = 0, b = 0;
      if (first) a = block(noise, &machine);
      b = block(noise, &machine);
      if (!first) a = block(noise, &machine);
      differences[j] = log(a * ratio / b);
    }
    count += difference_probability((struct sample){.items = differences, .count = rounds}, 0.01) <= 0.01;
  }
  return count;
}

/* How often the interval of the mean holds what processes vary about, each with many steps that share its offset. */
static void check_coverage(struct arena *arena) {
  int held = 0;
  for (int i = 0; i < 2000; i++) {
    double medians[3];
    for (int process = 0; process < 3; process++) {
      double offset = 0.01 * normal(), steps[50];
      for (int step = 0; step < 50; step++) steps[step] = offset + 0.02 * normal();
      medians[process] = median_of(arena, steps, 50);
    }
    struct interval interval = mean_interval(medians, 3);
    held += interval.low <= 0 && 0 <= interval.high;
  }
  if (!CHECK(held >= 1860 && held <= 1940)) printf("  of 2000 intervals %d hold the mean\n", held);
  const double x[] = {1, 2, 3, 4};
  struct interval interval = mean_interval(x, 4); /* 3.182 of its standard errors, each 0.6455 */
  CHECK_NEAR(interval.low, 2.5 - 3.182 * 0.6454972, 1e-6);
  CHECK_NEAR(interval.high, 2.5 + 3.182 * 0.6454972, 1e-6);
  interval = mean_interval(x, 1);
  CHECK(interval.low == 1 && interval.middle == 1 && interval.high == 1);
}

int main(void) {
  struct arena *arena = arena_new();
  check_values(arena);
  check_two_samples();
  check_coverage(arena);
  check_large(arena);
  for (int noise = 0; noise < NOISES; noise++) {
    int equal = rejections((enum noise)noise, 1, 30, 1000), at_margin = rejections((enum noise)noise, 1.01, 30, 1000),
        slower = rejections((enum noise)noise, 1.05, 30, 1000);
    int failed = !CHECK(equal <= 20) + !CHECK(at_margin <= 25) + !CHECK(slower >= 950);
    if (failed)
      printf("  noise %d: of 1000 tries, %d equal, %d at the margin, and %d slower by 5%% were told apart\n", noise,
             equal, at_margin, slower);
  }
  arena_free(arena);
  return check_done("statistics");
}
