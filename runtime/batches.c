/* The order in which training sees examples; a thread prepares the next batch while a step runs. */
#include "runtime/runtime.h"

#include <pthread.h>
#include <stdlib.h>

enum { LAM_SLOTS = 2 };

struct lam_feed {
  const struct lam_dataset *dataset;
  uint32_t seed;
  int64_t row, step, accumulate;
  bool windows, shuffle;
  uint32_t *order; /* of the epoch's examples */
  int64_t order_epoch;
  struct lam_batch slots[LAM_SLOTS];
  int64_t filled, taken; /* batches so far */
  bool stop, threaded;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
};

/* A window at a random place: nothing of the text is favoured, and its ends do not fall on the same tokens again. */
static struct lam_row lam_feed_window(struct lam_feed *feed, int64_t step, int64_t row_in_step) {
  const struct lam_dataset *dataset = feed->dataset;
  uint32_t words[4];
  lam_philox(feed->seed, LAM_STREAM_WINDOW, (uint32_t)step, (uint32_t)row_in_step, 0, words);
  int64_t begin = lam_below(words, dataset->training - dataset->window + !dataset->shifted);
  return (struct lam_row){begin, dataset->training, (uint32_t)step, (uint32_t)begin};
}

/* Row after row through epochs, each in an order of its own. */
static struct lam_row lam_feed_row(struct lam_feed *feed, int64_t step, int64_t row) {
  int64_t examples = lam_dataset_examples(feed->dataset, LAM_TRAINING), epoch = row / examples, number = row % examples;
  if (feed->shuffle && feed->order_epoch != epoch) {
    lam_shuffle(feed->order, examples, feed->seed, (uint32_t)epoch);
    feed->order_epoch = epoch;
  }
  struct lam_row result = lam_dataset_row(feed->dataset, LAM_TRAINING, feed->shuffle ? feed->order[number] : number);
  result.step = (uint32_t)step;
  return result;
}

static void lam_feed_fill(struct lam_feed *feed, int64_t number) {
  int64_t batch = feed->dataset->batch, step = feed->step + number / feed->accumulate;
  for (int64_t i = 0; i < batch; i++) {
    struct lam_row row = feed->windows ? lam_feed_window(feed, step, number % feed->accumulate * batch + i)
                                       : lam_feed_row(feed, step, feed->row + number * batch + i);
    lam_batch_fill(&feed->slots[number % LAM_SLOTS], feed->dataset, i, &row);
  }
}

static void *lam_feed_thread(void *context) {
  struct lam_feed *feed = context;
  pthread_mutex_lock(&feed->mutex);
  for (;;) {
    while (!feed->stop && feed->filled - feed->taken == LAM_SLOTS) pthread_cond_wait(&feed->changed, &feed->mutex);
    if (feed->stop) break;
    pthread_mutex_unlock(&feed->mutex);
    lam_feed_fill(feed, feed->filled);
    pthread_mutex_lock(&feed->mutex);
    feed->filled++;
    pthread_cond_signal(&feed->changed);
  }
  pthread_mutex_unlock(&feed->mutex);
  return NULL;
}

struct lam_feed *lam_feed_start(const struct lam_dataset *dataset, const struct lam_run *run, int64_t accumulate,
                                bool windows, bool shuffle) {
  struct lam_feed *feed = lam_allocate(1, sizeof *feed);
  feed->dataset = dataset;
  feed->seed = run->seed;
  feed->row = run->rows;
  feed->step = run->step + 1;
  feed->accumulate = accumulate;
  feed->windows = windows;
  feed->shuffle = shuffle;
  feed->order_epoch = -1;
  if (shuffle && !windows) feed->order = lam_allocate(lam_dataset_examples(dataset, LAM_TRAINING), sizeof *feed->order);
  for (int i = 0; i < LAM_SLOTS; i++) lam_batch_create(&feed->slots[i], dataset);
  pthread_mutex_init(&feed->mutex, NULL);
  pthread_cond_init(&feed->changed, NULL);
  feed->threaded = pthread_create(&feed->thread, NULL, lam_feed_thread, feed) == 0;
  return feed;
}

void lam_feed_next(struct lam_feed *feed) {
  if (!feed->threaded) { /* no thread was to be had: the same batches, made here */
    lam_feed_fill(feed, feed->filled++);
  } else {
    pthread_mutex_lock(&feed->mutex);
    while (feed->filled == feed->taken) pthread_cond_wait(&feed->changed, &feed->mutex);
    pthread_mutex_unlock(&feed->mutex);
  }
  lam_batch_deliver(&feed->slots[feed->taken % LAM_SLOTS], feed->dataset);
  pthread_mutex_lock(&feed->mutex);
  feed->taken++;
  pthread_cond_signal(&feed->changed);
  pthread_mutex_unlock(&feed->mutex);
}

void lam_feed_stop(struct lam_feed *feed) {
  pthread_mutex_lock(&feed->mutex);
  feed->stop = true;
  pthread_cond_signal(&feed->changed);
  pthread_mutex_unlock(&feed->mutex);
  if (feed->threaded) pthread_join(feed->thread, NULL);
  pthread_cond_destroy(&feed->changed);
  pthread_mutex_destroy(&feed->mutex);
  for (int i = 0; i < LAM_SLOTS; i++) lam_batch_free(&feed->slots[i], feed->dataset);
  free(feed->order);
  free(feed);
}
