/* Which of several things measured in turn is faster, and whether that is more than noise.

   Times on a shared machine drift and have heavy tails, so nothing here assumes a distribution: medians with intervals from order
   statistics, and the signed-rank test (Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics 1945) on the logarithms of
   ratios of what was measured in the same round. Rounds run their parts in random order, so under the hypothesis tested each sign is
   as likely as the other whatever the noise looks like, drift and correlation between rounds included: the test is a randomisation
   test. Ratios are estimated by the median of pairwise means (Hodges and Lehmann, "Estimates of Location Based on Rank Tests", Ann.
   Math. Stat. 1963), several comparisons are corrected for by Holm ("A Simple Sequentially Rejective Multiple Test Procedure", Scand.
   J. Stat. 1979). Where code and data happen to lie in memory alone makes a percent (Mytkowicz et al., "Producing Wrong Data Without
   Doing Anything Obviously Wrong", ASPLOS 2009), so the hypothesis is not that two are equal, but that they differ by no more than
   that: `margin`.

   Times of steps in one process are no independent samples of what a program takes: a process is (Kalibera and Jones, "Rigorous
   Benchmarking in Reasonable Time", ISMM 2013). So a step's interval is that of the processes' medians.

   What is many times slower than others can be measured in few rounds only, and of few ratios the signed-rank test can say nothing. Then
   the two are taken as independent samples, one of them small, for the rank-sum test (Mann and Whitney, "On a Test of Whether One of Two
   Random Variables is Stochastically Larger than the Other", Ann. Math. Stat. 1947): 3 values above all of 30 are one way of 5456. */
#ifndef DRIVER_STATISTICS_H
#define DRIVER_STATISTICS_H

#include "ir/arena.h"

struct interval {
  double low, middle, high;
};

/* The median; 0 without numbers. */
double median_of(struct arena *arena, const double *x, int count);
/* The median and, between order statistics, an interval that holds it with at least the probability `level`; with too few numbers
   the interval is all of them. */
struct interval median_interval(struct arena *arena, const double *x, int count, double level);
/* The mean of at most 30 numbers, and an interval that holds it with 95% if the numbers have a normal distribution
   (Student, "The Probable Error of a Mean", Biometrika 1908). For one number the interval is that number. */
struct interval mean_interval(const double *x, int count);
/* Differences of values that were measured together; or, where `others` is not NULL, two independent samples that are
   compared. */
struct sample {
  const double *items, *others;
  int count, other_count;
};

/* The probability that differences symmetric about `middle` are as far above it as these. Exact to 200 differences that are not
   `middle`, else by the normal distribution. 1 for none. */
double signed_rank(struct arena *arena, const double *differences, int count, double middle);
/* The probability that `items` rank as high as they do among all if they lay `middle` above `others` and did not differ otherwise. Exact;
   takes time by the square of the smaller count: for a small sample beside one of at most hundreds. 1 where one is empty. */
double rank_sum(struct sample sample, double middle);
/* Where the middle of the differences lies: the median of the means of pairs (for two samples, of the differences of pairs), and those
   middles that the test does not reject. */
struct interval shift_interval(struct sample sample, double level);
/* Two-sided: the probability of differences like these if their middle lay within `margin` of 0. */
double difference_probability(struct sample sample, double margin);
/* The least size of a sample that the rank-sum test can tell from one of `count` with a probability below `level`, two-sided. */
int small_sample(int count, double level);
/* Corrects probabilities for being `count` in number, in place. */
void holm_correct(struct arena *arena, double *probabilities, int count);

#endif
