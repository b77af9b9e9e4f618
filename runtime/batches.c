/* The order in which training sees examples; a thread makes the next batch while a step runs. */
#include "runtime/runtime.h"

#include <pthread.h>
#include <stdlib.h>

/* What a batch holds depends on the seed and its number alone. */
struct lam_feed {
  const struct lam_dataset *dataset;
  struct lam_run run; /* where the run was when the feed started */
  int64_t accumulate, number; /* number: that of the next batch */
  void **batch;
  bool large, threaded; /* threaded: a thread fills the batch */
  pthread_t thread;
  bool shuffle, windows; /* windows: text is sampled at random places, else examples come in epochs */
  uint32_t *order; /* of the epoch's examples */
  int64_t epoch;
};

void lam_shuffle(uint32_t *order, int64_t count, uint32_t seed, uint32_t epoch) {
  uint32_t words[4];
  for (int64_t i = 0; i < count; i++) order[i] = (uint32_t)i;
  for (int64_t i = count - 1; i > 0; i--) {
    lam_philox(seed, LAM_STREAM_SHUFFLE, epoch, 0, (uint64_t)i, words);
    int64_t other = lam_below(words, i + 1);
    uint32_t kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
}

/* A window at a random place, so that windows do not always begin at the same tokens. */
static struct lam_row lam_feed_window(const struct lam_feed *feed, int64_t step, int64_t row_in_step) {
  const struct lam_dataset *dataset = feed->dataset;
  int64_t places = dataset->training - dataset->window + !dataset->shifted;
  uint32_t words[4];
  lam_philox(feed->run.seed, LAM_STREAM_WINDOW, (uint32_t)step, (uint32_t)row_in_step, 0, words);
  int64_t begin = lam_below(words, places > 0 ? places : 1);
  return (struct lam_row){begin, dataset->training, (uint32_t)step, (uint32_t)begin};
}

/* The training examples row after row, in epochs. Each epoch has an order of its own if they are shuffled. */
static struct lam_row lam_feed_row(struct lam_feed *feed, int64_t step, int64_t row) {
  int64_t examples = lam_dataset_examples(feed->dataset, LAM_TRAINING), epoch = row / examples, number = row % examples;
  if (feed->shuffle && feed->epoch != epoch) {
    lam_shuffle(feed->order, examples, feed->run.seed, (uint32_t)epoch);
    feed->epoch = epoch;
  }
  struct lam_row result = lam_dataset_row(feed->dataset, LAM_TRAINING, feed->shuffle ? feed->order[number] : number);
  result.step = (uint32_t)step;
  return result;
}

static void *lam_feed_fill(void *context) {
  struct lam_feed *feed = context;
  int64_t batch = feed->dataset->batch, step = feed->run.step + 1 + feed->number / feed->accumulate;
  lam_span_thread(feed->large ? "data" : "main");
  lam_span_begin("prepare a batch", feed->number);
  for (int64_t i = 0; i < batch; i++) {
    struct lam_row row = feed->windows ? lam_feed_window(feed, step, feed->number % feed->accumulate * batch + i)
                                       : lam_feed_row(feed, step, feed->run.rows + feed->number * batch + i);
    lam_batch_fill(feed->batch, feed->dataset, i, &row);
  }
  feed->number++;
  lam_span_end();
  return NULL;
}

/* Makes the next batch: in a thread, or at once where that is faster than starting one or none can be had. */
static void lam_feed_ahead(struct lam_feed *feed) {
  feed->threaded = feed->large && pthread_create(&feed->thread, NULL, lam_feed_fill, feed) == 0;
  if (!feed->threaded) lam_feed_fill(feed);
}

struct lam_feed *lam_feed_start(const struct lam_dataset *dataset, const struct lam_run *run, int64_t accumulate) {
  enum { LARGE = 1 << 14 };
  struct lam_feed *feed = lam_allocate(1, sizeof *feed);
  *feed = (struct lam_feed){.dataset = dataset, .run = *run, .accumulate = accumulate};
  for (int i = 0; i < dataset->routine->input_count; i++)
    feed->large |= lam_port_bytes(&dataset->routine->inputs[i]) > LARGE;
  const struct lam_settings *settings = dataset->program->settings;
  feed->shuffle = settings->shuffle;
  feed->windows = dataset->window && settings->epochs < 0 && settings->shuffle;
  feed->epoch = -1;
  feed->order = lam_allocate(feed->windows ? 0 : lam_dataset_examples(dataset, LAM_TRAINING), sizeof *feed->order);
  feed->batch = lam_batch_create(dataset);
  lam_feed_ahead(feed);
  return feed;
}

void lam_feed_next(struct lam_feed *feed) {
  lam_span_begin("wait for a batch", -1);
  if (feed->threaded) pthread_join(feed->thread, NULL);
  lam_span_end();
  lam_batch_deliver(feed->batch, feed->dataset);
  lam_feed_ahead(feed);
}

void lam_feed_stop(struct lam_feed *feed) {
  if (feed->threaded) pthread_join(feed->thread, NULL);
  lam_batch_free(feed->batch, feed->dataset);
  free(feed->order);
  free(feed);
}
